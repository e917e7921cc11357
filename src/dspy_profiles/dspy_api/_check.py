"""What is wrong with a resolved profile, as far as the source of DSPy and of its classes tells."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dspy_profiles.dspy_api._findings import Finding, Findings, Severity
from dspy_profiles.dspy_api._sections import Shape, near_miss, shape_of
from dspy_profiles.dspy_api._values import (
    check_value,
    is_reference,
    is_secret_name,
    names_role,
    without_references,
)
from dspy_profiles.errors import did_you_mean
from dspy_profiles.resolved import KeyPath, ResolvedProfile
from dspy_profiles.sections import SECTIONS

__all__ = ["check"]

Descriptor = Mapping[str, Any]
_STRING = {"kind": "string"}
_STRINGS = {"kind": "union", "of": [_STRING, {"kind": "list", "items": _STRING}]}


def check(
    profile: ResolvedProfile,
    descriptor: Descriptor,
    *,
    search: Sequence[Path] | None = None,
    schemes: Iterable[str] = ("env", "file", "keyring"),
) -> list[Finding]:
    """Every fault at once, those of a section together, in the profile's order.

    Classes that the profile names are looked for in `search` (the working directory) and where
    Python looks. Nothing is imported, no secret is fetched, and none is repeated in a message.
    """
    folders = [Path.cwd()] if search is None else search
    return _Check(profile, descriptor, folders, tuple(f"{s}:" for s in schemes)).run()


class _Check:
    def __init__(
        self,
        profile: ResolvedProfile,
        descriptor: Descriptor,
        search: Sequence[Path],
        prefixes: tuple[str, ...],
    ) -> None:
        self.profile = profile
        self.descriptor = descriptor
        self.search = search
        self.prefixes = prefixes
        self.findings = Findings(profile)
        self.provider: Descriptor | None = None

    def run(self) -> list[Finding]:
        if self.descriptor["open"]:
            reason = self.descriptor["reason"]
            self.findings.warn((), f"what DSPy takes cannot be checked: {reason}")
        rooms = {
            "lm": self._lm,
            "rm": self._rm,
            "adapter": self._adapter,
            "provider": self._provider,
            "settings": self._settings,
            "lms": self._lms,
            "embedder": self._embedder,
            "env": self._env,
        }
        values = self.profile.values
        if isinstance(values.get("provider"), Mapping):
            self.provider = self._described(values["provider"].get("class"))
        for name, value in values.items():
            if name not in SECTIONS:
                self.findings.fail(
                    (name,), "there is no such section", did_you_mean(name, SECTIONS)
                )
            elif name in rooms and not isinstance(value, Mapping):
                self.findings.fail((name,), f"expected a table, as in [{self.profile.name}.{name}]")
            elif name in rooms:
                rooms[name](value)
            else:
                self._value((name,), _STRINGS if name == "extends" else _STRING, value)
        return self.findings

    # The sections

    def _lm(self, table: Mapping[str, Any]) -> None:
        self._language_model(("lm",), table)

    def _lms(self, table: Mapping[str, Any]) -> None:
        for role, inner in table.items():
            if isinstance(inner, Mapping):
                self._language_model(("lms", role), inner)
            else:
                said = f"expected a table, as in [{self.profile.name}.lms.{role}]"
                self.findings.fail(("lms", role), said)

    def _language_model(self, path: KeyPath, table: Mapping[str, Any]) -> None:
        description = self.descriptor["classes"].get(self.descriptor["lm"])
        shape = shape_of(description, "dspy.LM", "lm")
        custom = "provider" in self.profile.values
        if self.provider is not None and self._is_lm(self.provider):
            shape = shape_of(self.provider, self.provider["name"], "lm")
        self._keys(path, shape, table, required=False)
        if "model" not in table and not custom:
            self.findings.fail((*path, "model"), "is missing", 'as in model = "openai/gpt-4o-mini"')

    def _embedder(self, table: Mapping[str, Any]) -> None:
        description = self.descriptor["classes"].get(self.descriptor["embedder"])
        self._keys(("embedder",), shape_of(description, "dspy.Embedder", "embedder"), table)

    def _rm(self, table: Mapping[str, Any]) -> None:
        if "class" in table and "class_name" in table and table["class"] != table["class_name"]:
            self.findings.fail(
                ("rm", "class_name"), "says another class than `class`", "keep one of them"
            )
        key = "class_name" if "class" not in table and "class_name" in table else "class"
        name = table.get(key, "dspy.ColBERTv2")
        self._made(("rm",), key, name, table, "a retriever", ("adapters", "optimizers"))

    def _adapter(self, table: Mapping[str, Any]) -> None:
        if "class" not in table:
            self.findings.fail(
                ("adapter", "class"), "is missing", 'as in class = "dspy.JSONAdapter"'
            )
            return
        wrong = ("retrievers", "optimizers")
        self._made(("adapter",), "class", table["class"], table, "an adapter", wrong)

    def _provider(self, table: Mapping[str, Any]) -> None:
        if "class" not in table:
            hint = "an import path (pkg.mod.Class) or a short name such as mock"
            self.findings.fail(("provider", "class"), "is missing", hint)
            return
        name = table["class"]
        if not self._class_value(("provider", "class"), name, short=True) or not _dotted(name):
            return
        description = self.provider
        if description is None or not self._found(("provider", "class"), name, description):
            return
        if self._is_lm(description):
            table = {**self.profile.lm, **table}
        self._keys(("provider",), shape_of(description, name), table, skip={*self.profile.lm})

    def _settings(self, table: Mapping[str, Any]) -> None:
        known = self.descriptor["settings"]
        users = {k: p for k, p in known.items() if not p["internal"]}
        shape = Shape(
            "dspy.settings", users, open=bool(self.descriptor["settings_open"]), read=bool(known)
        )
        name = self.profile.name
        for key, value in table.items():
            path = ("settings", key)
            if key in {"lm", "rm", "adapter"}:
                self.findings.fail(path, "has a section of its own", f"write it as [{name}.{key}]")
            elif key == "cache_dir":
                self.findings.fail(path, "does nothing", f"write DSPY_CACHEDIR in [{name}.env]")
            elif key in known and known[key]["internal"]:
                self.findings.fail(path, "is DSPy's own, not to be set")
            else:
                self._key(("settings",), shape, key, value)

    def _env(self, table: Mapping[str, Any]) -> None:
        for key, value in table.items():
            path = ("env", key)
            if not key or "=" in key or "\0" in key:
                self.findings.fail(path, "cannot be the name of an environment variable")
            self._value(path, _STRING, value, hint="write it in quotes")

    # Classes that the profile names

    def _made(  # noqa: PLR0913, PLR0917 - one place for the two sections that are made of a class
        self,
        path: KeyPath,
        key: str,
        name: object,
        table: Mapping[str, Any],
        wanted: str,
        wrong: tuple[str, ...],
    ) -> None:
        if not self._class_value((*path, key), name):
            return
        description = self._described(name)
        if description is None:
            return
        self._found((*path, key), str(name), description)
        if any(description["name"] in self.descriptor[group] for group in wrong):
            self.findings.fail((*path, key), f"{name} is not {wanted}")
            return
        if description["deprecated"]:
            self.findings.warn((*path, key), f"{name} is deprecated: {description['deprecated']}")
        rest = {k: v for k, v in table.items() if k not in {"class", "class_name"}}
        self._keys(path, shape_of(description, description["name"]), rest)

    def _class_value(self, path: KeyPath, name: object, *, short: bool = False) -> bool:
        if not isinstance(name, str):
            self._value(path, _STRING, name)
            return False
        if not short and not _dotted(name) and not is_reference(name, self.prefixes):
            known = [*self.descriptor["retrievers"], *self.descriptor["adapters"]]
            bare = next((k for k in known if k.rpartition(".")[2] == name), None)
            hint = f'did you mean "{bare}"?' if bare else "write pkg.mod.Class"
            self.findings.fail(path, f'"{name}" is not an import path', hint)
            return False
        return True

    def _described(self, name: object) -> Descriptor | None:
        """The description of a class; None where the name leads to none, or not yet."""
        if not isinstance(name, str) or is_reference(name, self.prefixes) or not _dotted(name):
            return None
        if self.descriptor["open"] and name.startswith("dspy."):
            return None
        classes = self.descriptor["classes"]
        known = self.descriptor["names"].get(name.replace(":", "."), name)
        if known not in classes:
            from dspy_profiles.dspy_api._describe import describe_class

            made = describe_class(name, self.search)
            known = self.descriptor["names"].get(made["target"])
            if known is None:
                return made
        found: Descriptor = classes[known]
        return found

    def _found(self, path: KeyPath, name: str, description: Descriptor) -> bool:
        if description["found"]:
            return True
        ours = name.startswith("dspy.") and not self.descriptor["open"]
        known = [*self.descriptor["adapters"], *self.descriptor["retrievers"]]
        hint = did_you_mean(name, known) if ours else "is it installed, or in this folder?"
        severity: Severity = "error" if ours else "warning"
        self.findings.add(severity, path, description["reason"], hint)
        return False

    def _is_lm(self, description: Descriptor) -> bool:
        return "dspy.clients.base_lm.BaseLM" in (*description["bases"], description["target"])

    # Keys and values

    def _keys(
        self,
        path: KeyPath,
        shape: Shape,
        table: Mapping[str, Any],
        *,
        required: bool = True,
        skip: Iterable[str] = (),
    ) -> None:
        passed_over = {*skip, *(("class",) if path == ("provider",) else ())}
        for key, value in table.items():
            if key not in passed_over:
                self._key(path, shape, key, value)
        for name, parameter in shape.known.items() if required else ():
            if parameter["required"] and name not in table and not self._filled(shape, name):
                self.findings.fail((*path, name), f"is missing: {shape.title} needs it")

    def _filled(self, shape: Shape, name: str) -> bool:
        """Whether a parameter that is left out is given the profile's own LM."""
        has_lm = "lm" in self.profile.values or "provider" in self.profile.values
        return has_lm and (shape.title, name) == ("dspy.TwoStepAdapter", "extraction_model")

    def _key(self, section: KeyPath, shape: Shape, key: str, value: object) -> None:
        path = (*section, key)
        kind = shape.type_of(key)
        if kind is None:
            self._unknown(path, shape, key)
            return
        self._value(path, kind, value, hint=_hint(section, key))
        if shape.known.get(key, {}).get("deprecated"):
            self.findings.warn(path, f"is deprecated: {shape.known[key]['deprecated']}")
        if names_role(kind) and isinstance(value, str) and not self._is_role(value):
            hint = did_you_mean(value, self.profile.lms)
            self.findings.fail(path, f"names no role of [{self.profile.name}.lms]", hint)

    def _is_role(self, value: str) -> bool:
        any_role = "provider" in self.profile.values  # which may answer for any
        return any_role or value in self.profile.lms or is_reference(value, self.prefixes)

    def _unknown(self, path: KeyPath, shape: Shape, key: str) -> None:
        slip = near_miss(key, shape.names())
        hint = f'did you mean "{slip}"?' if slip else did_you_mean(key, shape.names())
        message = f'{shape.title} has no parameter "{key}"'
        if path[0] == "settings":
            message = f'DSPy has no setting "{key}"'
        if not shape.open or (slip and shape.read):
            self.findings.add("error", path, message, hint, near=slip is not None)
        elif shape.read:
            self.findings.warn(path, message, hint or f"{shape.title} passes it on unchecked")
        elif slip:
            self.findings.add("warning", path, message, hint, near=True)

    def _value(
        self, path: KeyPath, kind: Mapping[str, Any], value: object, hint: str | None = None
    ) -> None:
        secret = any(is_secret_name(part) for part in path[1:])
        secret |= any(key[: len(path)] == path for key in self.profile.secret_keys)
        said = check_value(kind, without_references(value, self.prefixes), secret=secret)
        if said:
            self.findings.fail(path, said, hint)


def _hint(section: KeyPath, key: str) -> str | None:
    if section == ("lm",) and key == "provider":
        return "a provider of one's own is named in a [….provider] section"
    return None


def _dotted(name: str) -> bool:
    return "." in name or ":" in name
