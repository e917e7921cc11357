"""Check a resolved profile against the source of DSPy and of the classes that it names."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dspy_profiles.config import KeyPath, touches
from dspy_profiles.errors import did_you_mean
from dspy_profiles.profiles import SECTIONS, ResolvedProfile
from dspy_profiles.schema._findings import Finding, Findings, Severity
from dspy_profiles.schema._keys import Keys
from dspy_profiles.schema._sections import HAVE_SECTIONS, Shape, shape_of, users_settings
from dspy_profiles.schema._values import is_reference

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
    only: Sequence[KeyPath] | None = None,
) -> list[Finding]:
    """Return all errors and warnings, by section, in the profile's order.

    With `only`, return those of these keys, and of what is above and under them.

    Finds the classes that the profile names in `search` (default: the working directory) and on
    Python's path. Imports nothing and fetches no secret; messages contain no secret.
    """
    folders = [Path.cwd()] if search is None else search
    found = _Check(profile, descriptor, folders, tuple(f"{s}:" for s in schemes), only).run()
    return found if only is None else [f for f in found if any(touches(f.key, k) for k in only)]


BUILT_IN = {
    "mock": "dspy_profiles.objects.engines.mock._engine.MockEngine",
    "replay": "dspy_profiles.calls.cassettes._engine.ReplayEngine",
}


class _Check:
    def __init__(
        self,
        profile: ResolvedProfile,
        descriptor: Descriptor,
        search: Sequence[Path],
        prefixes: tuple[str, ...],
        only: Sequence[KeyPath] | None,
    ) -> None:
        self.profile = profile
        self.descriptor = descriptor
        self.search = search
        self.prefixes = prefixes
        self.findings = Findings(profile)
        self.keys = Keys(profile, prefixes, self.findings, only, descriptor["version"])
        self.provider: Descriptor | None = None

    def run(self) -> list[Finding]:
        if self.descriptor["open"]:
            reason = self.descriptor["reason"]
            self.findings.warn((), f"arguments of DSPy cannot be checked: {reason}")
        checks = {
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
            self.provider = self._described(_spelled(values["provider"].get("class")))
        for name, value in values.items():
            if name not in SECTIONS:
                self.findings.fail((name,), "unknown section", did_you_mean(name, SECTIONS))
            elif name in checks and not isinstance(value, Mapping):
                self.findings.fail((name,), f"expected a table, as in [{self.profile.name}.{name}]")
            elif name in checks:
                checks[name](value)
            else:
                self.keys.value((name,), _STRINGS if name == "extends" else _STRING, value)
        return self.findings

    # The sections

    def _lm(self, table: Mapping[str, Any]) -> None:
        self._language_model(("lm",), table)

    def _lms(self, table: Mapping[str, Any]) -> None:
        for role, inner in table.items():
            if isinstance(inner, Mapping):
                self._language_model(("lms", role), inner)
            else:
                message = f"expected a table, as in [{self.profile.name}.lms.{role}]"
                self.findings.fail(("lms", role), message)

    def _language_model(self, path: KeyPath, table: Mapping[str, Any]) -> None:
        description = self.descriptor["classes"].get(self.descriptor["lm"])
        shape = shape_of(description, "dspy.LM", "lm")
        custom = "provider" in self.profile.values
        if self.provider is not None and self._is_lm(self.provider):
            shape = shape_of(self.provider, self.provider["name"], "lm")
        self.keys.table(path, shape, table, required=False)
        if "model" not in table and not custom:
            self.findings.fail((*path, "model"), "is missing", 'as in model = "openai/gpt-4o-mini"')
        elif table.get("model") == "":
            self.findings.fail((*path, "model"), "is empty", 'as in model = "openai/gpt-4o-mini"')

    def _embedder(self, table: Mapping[str, Any]) -> None:
        description = self.descriptor["classes"].get(self.descriptor["embedder"])
        self.keys.table(("embedder",), shape_of(description, "dspy.Embedder", "embedder"), table)

    def _rm(self, table: Mapping[str, Any]) -> None:
        if "class" in table and "class_name" in table and table["class"] != table["class_name"]:
            self.findings.fail(("rm", "class_name"), "differs from `class`", "remove one of them")
        key = "class_name" if "class" not in table and "class_name" in table else "class"
        name = table.get(key, "dspy.ColBERTv2")
        self._instance(("rm",), key, name, table, "a retriever", ("adapters", "optimizers"))

    def _adapter(self, table: Mapping[str, Any]) -> None:
        if "class" not in table:
            self.findings.fail(
                ("adapter", "class"), "is missing", 'as in class = "dspy.JSONAdapter"'
            )
            return
        wrong = ("retrievers", "optimizers")
        self._instance(("adapter",), "class", table["class"], table, "an adapter", wrong)

    def _provider(self, table: Mapping[str, Any]) -> None:
        if "class" not in table:
            hint = "an import path (pkg.mod.Class) or a short name such as mock"
            self.findings.fail(("provider", "class"), "is missing", hint)
            return
        name = _spelled(table["class"])
        if not self._class_value(("provider", "class"), name, short=True) or not _dotted(name):
            return
        description = self.provider
        if description is None or not self._found(("provider", "class"), name, description):
            return
        if self._is_lm(description):
            table = {**self.profile.lm, **table}
        skip = {"class", *self.profile.lm}
        self.keys.table(("provider",), shape_of(description, table["class"]), table, skip=skip)

    def _settings(self, table: Mapping[str, Any]) -> None:
        known = self.descriptor["settings"]
        shape = Shape(
            "dspy.settings",
            users_settings(self.descriptor),
            open=bool(self.descriptor["settings_open"]),
            read=bool(known),
        )
        name = self.profile.name
        for key, value in table.items():
            path = ("settings", key)
            if key in HAVE_SECTIONS:
                self.findings.fail(path, "belongs in its own section", f"write [{name}.{key}]")
            elif key == "cache_dir":
                self.findings.fail(path, "has no effect", f"set DSPY_CACHEDIR in [{name}.env]")
            elif key in known and known[key]["internal"]:
                self.findings.fail(path, "is internal to DSPy and cannot be set")
            else:
                self.keys.key(("settings",), shape, key, value)

    def _env(self, table: Mapping[str, Any]) -> None:
        for key, value in table.items():
            path = ("env", key)
            if not key or "=" in key or "\0" in key:
                self.findings.fail(path, "is not a valid name of an environment variable")
            self.keys.value(path, _STRING, value, hint="put it in quotes")

    # Classes that the profile names

    def _instance(  # noqa: PLR0913, PLR0917 - two sections describe an instance of a class
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
        self.keys.table(path, shape_of(description, description["name"]), rest)

    def _class_value(self, path: KeyPath, name: object, *, short: bool = False) -> bool:
        if not isinstance(name, str):
            self.keys.value(path, _STRING, name)
            return False
        if not short and not _dotted(name) and not is_reference(name, self.prefixes):
            known = [*self.descriptor["retrievers"], *self.descriptor["adapters"]]
            bare = next((k for k in known if k.rpartition(".")[2] == name), None)
            hint = f'did you mean "{bare}"?' if bare else "write pkg.mod.Class"
            self.findings.fail(path, f'"{name}" is not an import path', hint)
            return False
        return True

    def _described(self, name: object) -> Descriptor | None:
        """Return the description of a class, or None if the name is a reference or not readable."""
        if not isinstance(name, str) or is_reference(name, self.prefixes) or not _dotted(name):
            return None
        if self.descriptor["open"] and name.startswith("dspy."):
            return None
        classes = self.descriptor["classes"]
        known = self.descriptor["names"].get(name.replace(":", "."), name)
        if known not in classes:
            from dspy_profiles.schema._describe import describe_class

            described = describe_class(name, self.search)
            known = self.descriptor["names"].get(described["target"])
            if known is None:
                return described
        description: Descriptor = classes[known]
        return description

    def _found(self, path: KeyPath, name: str, description: Descriptor) -> bool:
        if description["found"]:
            return True
        ours = name.startswith("dspy.") and not self.descriptor["open"]
        known = [*self.descriptor["adapters"], *self.descriptor["retrievers"]]
        hint = did_you_mean(name, known) if ours else "install it, or run in its folder"
        severity: Severity = "error" if ours else "warning"
        self.findings.add(severity, path, description["reason"], hint)
        return False

    def _is_lm(self, description: Descriptor) -> bool:
        return "dspy.clients.base_lm.BaseLM" in (*description["bases"], description["target"])


def _spelled(name: object) -> Any:
    """Return the import path of a built-in short name, or the name."""
    return BUILT_IN.get(name, name) if isinstance(name, str) else name


def _dotted(name: str) -> bool:
    return "." in name or ":" in name
