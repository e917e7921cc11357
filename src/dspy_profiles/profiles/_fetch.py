"""Replace references by their values; secrets stay wrapped."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from dspy_profiles.config import KeyPath, is_in_project, join_key, may
from dspy_profiles.errors import MissingSecret, Place, ProfileError, ProviderError, Untrusted
from dspy_profiles.profiles._profile import ResolvedProfile
from dspy_profiles.profiles._wants import demand_for
from dspy_profiles.secrets import (
    BUILT_IN_SCHEMES,
    Missing,
    Reference,
    Secret,
    empty_variable_in,
    expand_references,
    from_environment,
    from_file,
    has_password,
    left_out,
    remember,
    secret_file,
    secret_variables_in,
    set_variables_once,
    split_scheme,
)

__all__ = [
    "UNSET_REASONS",
    "Fetched",
    "MissingReference",
    "check_references",
    "fetch",
    "missing",
    "own_variables",
    "references",
    "secret_files",
    "set_variables",
]

UNSET_REASONS = ("is not set", "is set, but empty")  # reasons that a shell or .env can fix

Skip = Callable[[KeyPath], bool]


class Fetched(str):
    """A string from a reference, which a parameter may need as a number."""

    __slots__ = ()


class MissingReference(NamedTuple):
    """One reference without a value."""

    key: KeyPath
    name: str  # the variable, file or entry
    reason: str
    where: Place | str | None


def fetch(profile: ResolvedProfile, *sections: str, skip: Skip | None = None) -> dict[str, Any]:
    """Return these sections with references replaced. Raise one MissingSecret for all missing."""
    fetcher = _Fetcher(profile, skip or (lambda _key: False))
    values = {
        name: fetcher.follow((name,), profile.values[name])
        for name in sections
        if name in profile.values
    }
    _refuse(profile, fetcher.missing)
    return values


def set_variables(profile: ResolvedProfile, held: list[str] | None = None) -> None:
    """Set the variables of `[x.env]` in this process, where they are unset and may be set.

    `held` gets those that another process will ask for.
    """
    variables, absent = own_variables(profile, held)
    _refuse(profile, absent)
    set_variables_once(
        profile.name,
        {n: v.reveal() if isinstance(v, Secret) else v for n, v in variables.items()},
        {n: file for n in variables if (file := profile.origin(("env", n)).file) is not None},
    )


def own_variables(
    profile: ResolvedProfile, held: list[str] | None = None
) -> tuple[dict[str, Any], list[MissingReference]]:
    """Return the variables of `[x.env]` that may be set, and the references without a value."""
    refused = set(_left_out(profile, held))
    fetcher = _Fetcher(profile, lambda key: key[-1] in refused, patient=held is not None)
    variables = fetcher.follow(("env",), profile.env)
    return {n: v for n, v in variables.items() if not isinstance(v, Reference)}, fetcher.missing


def _left_out(profile: ResolvedProfile, held: list[str] | None) -> Iterator[str]:
    for name, value in profile.env.items():
        place = profile.place("env", name)
        file = place.file if isinstance(place, Place) else Path()
        may_set = partial(_may_set, profile, name)
        yield from left_out(file, {name: value}, may_set, where=str(place), held=held)


def _may_set(profile: ResolvedProfile, name: str, _file: Path) -> bool:
    return profile.travelled or may("connect", profile.origin(("env", name)))


def check_references(
    profile: ResolvedProfile, *, skip: Skip | None = None, patient: bool = False
) -> None:
    """Raise one MissingSecret for all references of the profile that have no value.

    `patient` passes over what a file that is not trusted would have us read.
    """
    _refuse(profile, missing(profile, skip=skip, patient=patient))


def _refuse(profile: ResolvedProfile, absent: list[MissingReference]) -> None:
    if absent:
        raise _error(profile, absent)


def missing(
    profile: ResolvedProfile, *, skip: Skip | None = None, patient: bool = False
) -> list[MissingReference]:
    """Return every reference of a profile that has no value."""
    fetcher = _Fetcher(profile, skip or (lambda _key: False), patient=patient)
    for name, value in profile.values.items():
        fetcher.follow((name,), value)
    return fetcher.missing


@dataclass
class _Fetcher:
    profile: ResolvedProfile
    skip: Skip
    patient: bool = False
    missing: list[MissingReference] = field(default_factory=list)

    def follow(self, key: KeyPath, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {
                name: self.follow((*key, name), item)
                for name, item in value.items()
                if not self.skip((*key, name))
            }
        if isinstance(value, list):
            return [self.follow(key, item) for item in value]
        if isinstance(value, Reference):
            return self._reference(key, value)
        if isinstance(value, str) and "$${" in value:
            return expand_references(value, {})
        return value

    def _reference(self, key: KeyPath, reference: Reference) -> Any:
        try:
            value = self._value(key, reference)
        except ProfileError as error:
            if self.patient and isinstance(error, Untrusted):
                return reference
            error.where = error.where or self.profile.place(*key)
            raise
        except Exception as error:  # noqa: BLE001 - a plugin can raise anything
            raise ProviderError(
                f"the secret scheme of {reference} failed with {type(error).__name__}",
                where=self.profile.place(*key),
            ) from None  # the error of a plugin can hold the secret
        if isinstance(value, Missing):
            place = self.profile.place(*key)
            self.missing.append(MissingReference(key, value.name, value.reason, place))
            return reference
        if isinstance(value, Fetched):
            return value
        for name in secret_variables_in(reference):  # in "Bearer ${TOKEN}", also the token alone
            remember(from_environment(name) or "", f"${{{name}}}")
        remember(value.reveal(), str(reference))
        return value

    def _value(self, key: KeyPath, reference: Reference) -> "Fetched | Secret | Missing":
        """Return the value, wrapped at once, so that no frame of an error holds the plaintext."""
        schemes = BUILT_IN_SCHEMES
        by_scheme = split_scheme(reference, schemes)
        if by_scheme is None and "${" not in reference:
            from dspy_profiles import plugins  # pluggy takes time to import

            schemes = plugins.secret_schemes()
            demand_for(self.profile, "connect", key, reference)
        elif by_scheme is not None and by_scheme[0] == "file":
            folder = _folder(self.profile, key)
            file = self.profile.origin(key).file
            if file is None or not is_in_project(secret_file(by_scheme[1], folder), file):
                demand_for(self.profile, "read", key, reference)
            schemes = {"file": lambda rest: from_file(rest, folder)}
        is_secret = key in self.profile.secret_keys
        empty = empty_variable_in(reference) if is_secret else None
        if empty is not None:
            return Missing(empty, "is set, but empty")
        value = expand_references(reference, schemes)
        if isinstance(value, Missing):
            return value
        if not isinstance(value, str):
            value = None
            raise TypeError("a secret scheme must return a string or None")
        if is_secret or has_password(value):
            return Secret(value, str(reference))
        return Fetched(value)


def references(profile: ResolvedProfile) -> list[tuple[KeyPath, Reference]]:
    """Return every reference of a profile with its key, including those in lists."""
    return list(_references((), profile.values))


def secret_files(profile: ResolvedProfile) -> tuple[Path, ...]:
    """Return the files that `file:` references of a profile name, existing or not."""
    named = ((key, split_scheme(text, ("file",))) for key, text in references(profile))
    return tuple(
        secret_file(by_scheme[1], _folder(profile, key))
        for key, by_scheme in named
        if by_scheme is not None
    )


def _references(key: KeyPath, value: object) -> Iterator[tuple[KeyPath, Reference]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _references((*key, name), item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(key, item)
    elif isinstance(value, Reference):
        yield key, value


def _folder(profile: ResolvedProfile, key: KeyPath) -> Path | None:
    """Return the folder that relative paths under this key start from: that of the file."""
    place = profile.place(*key)
    return place.file.parent if isinstance(place, Place) else None


def _error(profile: ResolvedProfile, absent: list[MissingReference]) -> MissingSecret:
    variables = list(dict.fromkeys(m.name for m in absent if m.reason in UNSET_REASONS))
    them = "it" if len(variables) == 1 else "them"
    hint = f"export {' and '.join(variables)}, or add {them} to .env" if variables else None
    if len(absent) == 1:
        (one,) = absent
        return MissingSecret(
            f'{one.name} {one.reason}; profile "{profile.name}" needs it for {join_key(one.key)}',
            hint,
            one.where,
        )
    lines = [f"\n  {m.name} {m.reason}, for {join_key(m.key)} at {m.where}" for m in absent]
    return MissingSecret(
        f'profile "{profile.name}": {len(absent)} secrets are missing:{"".join(lines)}',
        hint,
        absent[0].where,
    )
