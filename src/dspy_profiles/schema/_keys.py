"""Check the keys of a table and their values against the parameters of a class."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dspy_profiles.config import KeyPath, touches
from dspy_profiles.errors import did_you_mean
from dspy_profiles.profiles import ResolvedProfile
from dspy_profiles.schema._findings import Findings
from dspy_profiles.schema._sections import Shape, near_miss
from dspy_profiles.schema._values import (
    check_value,
    is_reference,
    is_secret_name,
    names_role,
    without_references,
)

__all__ = ["Keys"]


class Keys:
    """Checker that adds errors and warnings to the findings."""

    def __init__(
        self,
        profile: ResolvedProfile,
        prefixes: tuple[str, ...],
        findings: Findings,
        only: Sequence[KeyPath] | None = None,
        release: str | None = None,
    ) -> None:
        self.release = release  # of DSPy
        self.profile = profile
        self.prefixes = prefixes
        self.findings = findings
        self.only = only

    def table(
        self,
        path: KeyPath,
        shape: Shape,
        table: Mapping[str, Any],
        *,
        required: bool = True,
        skip: Iterable[str] = (),
    ) -> None:
        skipped = {*skip}
        for key in self._wanted(path, table):
            if key not in skipped:
                self.key(path, shape, key, table[key])
        for name, parameter in shape.known.items() if required else ():
            if parameter["required"] and name not in table and not self._filled(shape, name):
                self.findings.fail((*path, name), f"is missing: {shape.title} needs it")

    def _wanted(self, path: KeyPath, table: Mapping[str, Any]) -> Iterable[str]:
        """Return the keys of this table that `only` names: a large table is checked in vain."""
        near = [key for key in self.only or () if touches(key, path)]
        if self.only is None or any(len(key) <= len(path) for key in near):
            return table
        names = {key[len(path)] for key in near}
        return [key for key in table if key in names]

    def _filled(self, shape: Shape, name: str) -> bool:
        """Return whether a missing parameter gets the profile's own LM."""
        has_lm = "lm" in self.profile.values or "provider" in self.profile.values
        return has_lm and (shape.title, name) == ("dspy.TwoStepAdapter", "extraction_model")

    def key(self, section: KeyPath, shape: Shape, key: str, value: object) -> None:
        path = (*section, key)
        kind = shape.type_of(key)
        if kind is None:
            self._unknown(path, shape, key)
            return
        self.value(path, kind, value, hint=_hint(section, key))
        if shape.known.get(key, {}).get("deprecated"):
            self.findings.warn(path, f"is deprecated: {shape.known[key]['deprecated']}")
        if names_role(kind) and isinstance(value, str) and not self._is_role(value):
            hint = did_you_mean(value, self.profile.lms)
            self.findings.fail(path, f"is not a role of [{self.profile.name}.lms]", hint)

    def _is_role(self, value: str) -> bool:
        any_role = "provider" in self.profile.values  # which may serve any role
        return any_role or value in self.profile.lms or is_reference(value, self.prefixes)

    def _unknown(self, path: KeyPath, shape: Shape, key: str) -> None:
        slip = near_miss(key, shape.names())
        hint = f'did you mean "{slip}"?' if slip else did_you_mean(key, shape.names())
        message = f'{shape.title} has no parameter "{key}"'
        if path[0] == "settings":
            message = f'DSPy has no setting "{key}"'
        if not shape.open or (slip and shape.read):
            installed = f"DSPy {self.release} is installed" if self.release else None
            self.findings.add("error", path, message, hint or installed, near=slip is not None)
        elif shape.read:
            self.findings.warn(path, message, hint or f"{shape.title} forwards it unchecked")
        elif slip:
            self.findings.add("warning", path, message, hint, near=True)

    def value(
        self, path: KeyPath, kind: Mapping[str, Any], value: object, hint: str | None = None
    ) -> None:
        secret = any(is_secret_name(part) for part in path[1:])
        secret |= any(key[: len(path)] == path for key in self.profile.secret_keys)
        message = check_value(kind, without_references(value, self.prefixes), secret=secret)
        if message:
            self.findings.fail(path, message, hint)


def _hint(section: KeyPath, key: str) -> str | None:
    if section == ("lm",) and key == "provider":
        return "name your provider in a [NAME.provider] section"
    return None
