"""From references to what they stand for. The secrets among them stay wrapped."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from dspy_profiles import plugins
from dspy_profiles.config import KeyPath, join_key
from dspy_profiles.errors import MissingSecret, Place, ProfileError, ProviderError
from dspy_profiles.profiles._profile import ResolvedProfile
from dspy_profiles.secrets import (
    BUILT_IN_SCHEMES,
    Missing,
    Reference,
    Secret,
    empty_variable,
    expand,
    from_environment,
    from_file,
    remember,
    secret_file,
    set_once,
    split_scheme,
    variables_in,
)

__all__ = [
    "UNSET",
    "Fetched",
    "MissingReference",
    "fetch",
    "missing",
    "references",
    "refuse_missing",
    "secret_files",
    "set_variables",
]

UNSET = ("is not set", "is set, but empty")  # what a shell or .env can mend

Skip = Callable[[KeyPath], bool]


class Fetched(str):
    """Text that came from a reference: it may have to become a number."""

    __slots__ = ()


class MissingReference(NamedTuple):
    """One reference that leads nowhere."""

    key: KeyPath
    name: str  # the variable, file or entry
    reason: str
    where: Place | str | None


def fetch(profile: ResolvedProfile, *sections: str, skip: Skip | None = None) -> dict[str, Any]:
    """These sections with every reference followed; all that are missing are one error."""
    fetcher = _Fetcher(profile, skip or (lambda _key: False))
    values = {
        name: fetcher.follow((name,), profile.values[name])
        for name in sections
        if name in profile.values
    }
    _refuse(profile, fetcher.missing)
    return values


def set_variables(profile: ResolvedProfile) -> None:
    """Put what `[x.env]` says into this process's environment, where it is unset."""
    variables = fetch(profile, "env").get("env", {})
    set_once(
        profile.name,
        {k: v.reveal() if isinstance(v, Secret) else v for k, v in variables.items()},
    )


def refuse_missing(profile: ResolvedProfile, *, skip: Skip | None = None) -> None:
    """Refuse what lacks anything, all of it in one error, before any object is made."""
    _refuse(profile, missing(profile, skip=skip))


def _refuse(profile: ResolvedProfile, gone: list[MissingReference]) -> None:
    if gone:
        raise _told(profile, gone)


def missing(profile: ResolvedProfile, *, skip: Skip | None = None) -> list[MissingReference]:
    """Every reference of a profile that leads nowhere, in all of its sections."""
    fetcher = _Fetcher(profile, skip or (lambda _key: False))
    for name, value in profile.values.items():
        fetcher.follow((name,), value)
    return fetcher.missing


@dataclass
class _Fetcher:
    profile: ResolvedProfile
    skip: Skip
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
            return expand(value, {})
        return value

    def _reference(self, key: KeyPath, reference: Reference) -> Any:
        try:
            found = self._found(key, reference)
        except ProfileError as error:
            error.where = error.where or self.profile.place(*key)
            raise
        except Exception as error:  # noqa: BLE001 - a plugin raises what it likes
            raise ProviderError(
                f"the secret scheme of {reference} failed with {type(error).__name__}",
                where=self.profile.place(*key),
            ) from None  # the error of somebody's vault may hold what it was asked for
        if isinstance(found, Missing):
            place = self.profile.place(*key)
            self.missing.append(MissingReference(key, found.name, found.reason, place))
            return reference
        if isinstance(found, Fetched):
            return found
        for name in variables_in(reference):  # in "Bearer ${TOKEN}", the token alone
            remember(from_environment(name) or "", f"${{{name}}}")
        remember(found.reveal(), str(reference))
        return found

    def _found(self, key: KeyPath, reference: Reference) -> "Fetched | Secret | Missing":
        """What stands there, wrapped at once: no frame that an error passes holds it in clear."""
        schemes = BUILT_IN_SCHEMES
        by_scheme = split_scheme(reference, schemes)
        if by_scheme is None and "${" not in reference:
            schemes = plugins.secret_schemes()
        elif by_scheme is not None and by_scheme[0] == "file":
            folder = _folder(self.profile, key)
            schemes = {"file": lambda rest: from_file(rest, folder)}
        is_secret = key in self.profile.secret_keys
        empty = empty_variable(reference) if is_secret else None
        if empty is not None:
            return Missing(empty, "is set, but empty")
        found = expand(reference, schemes)
        if isinstance(found, Missing):
            return found
        if not isinstance(found, str):
            found = None
            raise TypeError("a secret scheme gives a text or None")
        return Secret(found, str(reference)) if is_secret else Fetched(found)


def references(profile: ResolvedProfile) -> list[tuple[KeyPath, Reference]]:
    """Every reference of a profile and the key that it stands under, in lists too."""
    return list(_references((), profile.values))


def secret_files(profile: ResolvedProfile) -> tuple[Path, ...]:
    """The files that `file:` references of a profile name, there or not."""
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
    """Where a relative path under this key starts: beside the file that says it."""
    place = profile.place(*key)
    return place.file.parent if isinstance(place, Place) else None


def _told(profile: ResolvedProfile, gone: list[MissingReference]) -> MissingSecret:
    variables = list(dict.fromkeys(m.name for m in gone if m.reason in UNSET))
    hint = f"export {' and '.join(variables)}, or put it into .env" if variables else None
    if len(gone) == 1:
        (one,) = gone
        return MissingSecret(
            f'{one.name} {one.reason}; profile "{profile.name}" needs it for {join_key(one.key)}',
            hint,
            one.where,
        )
    lines = [f"\n  {m.name} {m.reason}, for {join_key(m.key)} at {m.where}" for m in gone]
    return MissingSecret(
        f'profile "{profile.name}" needs {len(gone)} secrets that are not there:{"".join(lines)}',
        hint,
        gone[0].where,
    )
