"""From references to what they stand for. The secrets among them stay wrapped."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dspy_profiles import plugins, secrets
from dspy_profiles.errors import MissingSecret, Place, ProfileError, ProviderError
from dspy_profiles.resolved import KeyPath, ResolvedProfile, join_key

__all__ = ["Fetched", "MissingReference", "fetch", "missing"]

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
    """These sections with every reference followed; all that are missing are told at once."""
    fetcher = _Fetcher(profile, skip or (lambda _key: False))
    values = {
        name: fetcher.follow((name,), profile.values[name])
        for name in sections
        if name in profile.values
    }
    if fetcher.missing:
        raise _told(profile, fetcher.missing)
    return values


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
        if isinstance(value, secrets.Reference):
            return self._reference(key, value)
        if isinstance(value, str) and "$${" in value:
            return secrets.expand(value, {})
        return value

    def _reference(self, key: KeyPath, reference: secrets.Reference) -> Any:
        schemes = secrets.BUILT_IN_SCHEMES
        if secrets.split_scheme(reference, schemes) is None and "${" not in reference:
            schemes = plugins.secret_schemes()
        try:
            found = secrets.expand(reference, schemes)
        except ProfileError as error:
            error.where = error.where or self.profile.place(*key)
            raise
        except Exception as error:  # noqa: BLE001 - a plugin raises what it likes
            raise ProviderError(
                f"the secret scheme of {reference} failed with {type(error).__name__}",
                where=self.profile.place(*key),
            ) from None  # the error of somebody's vault may hold what it was asked for
        if isinstance(found, secrets.Missing):
            place = self.profile.place(*key)
            self.missing.append(MissingReference(key, found.name, found.reason, place))
            return reference
        if key not in self.profile.secret_keys:
            return Fetched(found)
        secrets.remember(found, str(reference))
        for name in secrets.variables(reference):  # in "Bearer ${TOKEN}", the token alone
            secrets.remember(secrets.from_environment(name) or "", f"${{{name}}}")
        return secrets.Secret(found, str(reference))


def _told(profile: ResolvedProfile, gone: list[MissingReference]) -> MissingSecret:
    variables = list(dict.fromkeys(m.name for m in gone if m.reason == "is not set"))
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
