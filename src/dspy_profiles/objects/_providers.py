"""The kinds of providers that `[x.provider] class` can name."""

import inspect
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar, runtime_checkable

import dspy

from dspy_profiles import _dspy, plugins
from dspy_profiles.config import KeyPath, action_of
from dspy_profiles.errors import InvalidProfile, ProfileError, ProviderError, did_you_mean
from dspy_profiles.objects._construct import construct
from dspy_profiles.objects._content import Content, content
from dspy_profiles.objects._imports import import_path
from dspy_profiles.objects.engines._async import AsyncSide
from dspy_profiles.profiles import ResolvedProfile, demand_for
from dspy_profiles.secrets import redact, redacted_error

__all__ = ["NONE", "ProfileProvider", "Provider", "imported", "make"]

T = TypeVar("T")

EXPECTED = (
    "a dspy.BaseLM class, an engine (complete), a dspy.Provider, or a ProfileProvider (build)"
)


@runtime_checkable
class ProfileProvider(Protocol):
    """Provider that builds all settings of a profile; `close()`, if any, is called at the end."""

    def build(self, profile: ResolvedProfile) -> Mapping[str, Any]: ...


class Provider:
    """A provider of any kind; without arguments, plain `dspy.LM`."""

    def __init__(
        self,
        name: str = "",
        *,
        lm: type | None = None,  # a subclass of dspy.BaseLM
        lm_arguments: Mapping[str, Any] | None = None,  # in addition to those of the profile
        engine: Any = None,
        whole: ProfileProvider | None = None,
    ) -> None:
        self.name = name
        self.lm = lm
        self.lm_arguments: Mapping[str, Any] = lm_arguments or {}
        self.engine = engine
        self.whole = whole
        self._offered: dict[Content, dict[str, Any]] = {}
        self._lock = threading.RLock()
        close = getattr(whole, "close", None)
        if close is not None:
            weakref.finalize(self, close)

    @property
    def makes_lm(self) -> bool:
        """Whether it provides an LM even if the profile has no [lm]."""
        return self.engine is not None or self.lm is not None

    @property
    def answers_any_role(self) -> bool:
        return bool(getattr(self.engine, "answers_any_role", False))

    def ignores(self, key: KeyPath) -> bool:
        """Return whether the provider ignores a key of an LM, so that its secret is not needed."""
        if not getattr(self.engine, "ignores_client_settings", False):
            return False
        return key[0] in ("lm", "lms") and key[-1] in _dspy.shape().client_keys()

    def lm_class(self) -> tuple[type, Mapping[str, Any]]:
        """Return the class of LMs, and the arguments that are not the profile's."""
        return self.lm or dspy.LM, self.lm_arguments

    def lm_defaults(self, key: KeyPath) -> Mapping[str, Any]:
        """Return default arguments of an LM."""
        if not _dspy.shape().is_offline(self.engine):
            return {} if self.engine is None else {"model": self.name}
        role = f"/{key[1]}" if len(key) > 1 else ""
        return {"model": f"{self.name}{role}", "num_retries": 0}

    def settings(self, profile: ResolvedProfile) -> dict[str, Any]:
        """Return the settings of a ProfileProvider, built once per profile."""
        whole = self.whole
        if whole is None:
            return {}
        key = content(profile.values)
        with self._lock:
            if key not in self._offered:
                made = _guarded(profile, self.name, lambda: whole.build(profile))
                self._offered[key] = self._checked(made, profile)
                while len(self._offered) > KEPT:
                    del self._offered[next(iter(self._offered))]
            return self._offered[key]

    def _checked(self, made: object, profile: ResolvedProfile) -> dict[str, Any]:
        where = profile.place("provider", "class")
        if not isinstance(made, Mapping):
            raise ProviderError(
                f"build of {self.name} must return a dict of settings, not {type(made).__name__}",
                where=where,
            )
        known = {*(_dspy.base_config() or {}), *_dspy.own_defaults()}
        unknown = [name for name in made if name not in known]
        if unknown:
            raise ProviderError(
                f'build of {self.name} returned "{unknown[0]}", which dspy.settings lacks',
                hint=did_you_mean(str(unknown[0]), known),
                where=where,
            )
        if not isinstance(made.get("callbacks", ()), list | tuple):
            raise ProviderError(f"callbacks of {self.name} must be a list", where=where)
        return dict(made)


KEPT = 64  # profiles whose settings one ProfileProvider keeps
NONE = Provider()


def make(profile: ResolvedProfile, name: object, arguments: Mapping[str, Any]) -> Provider:
    """Import the provider that a profile names, and wrap it by its kind."""
    if not isinstance(name, str):
        raise InvalidProfile(
            f'profile "{profile.name}": provider has no class',
            hint='write class = "mock", or an import path',
            where=profile.place("provider"),
        )
    found = _named(profile, name)
    if isinstance(found, type) and issubclass(found, dspy.BaseLM):
        return Provider(name, lm=found, lm_arguments=arguments)
    if not _is_known_kind(found):
        kind = f"the class {found.__qualname__}" if isinstance(found, type) else repr(found)
        raise ProviderError(
            f'"{name}" is not a provider, but {redact(kind)}',
            hint=f"expected {EXPECTED}",
            where=profile.place("provider", "class"),
        )
    if isinstance(found, type):
        found = construct(found, arguments, profile, ("provider",))
    elif arguments:
        raise InvalidProfile(
            f'"{name}" is an object and accepts no arguments: {", ".join(arguments)}',
            where=profile.place("provider"),
        )
    if isinstance(found, dspy.Provider):
        return Provider(name, lm_arguments={"provider": found})
    if _has(found, "complete"):
        if not (_dspy.shape().has_engines or _dspy.shape().is_offline(found)):
            raise InvalidProfile(
                f'"{name}" is an engine, and DSPy {_dspy.version()} has none',
                hint="name a dspy.BaseLM class, or install dspy>=3.4",
                where=profile.place("provider", "class"),
            )
        cls, arguments = _engine_lm(found)
        return Provider(name, lm=cls, engine=found, lm_arguments=arguments)
    if not isinstance(found, ProfileProvider):  # its metaclass has `complete`, not the object
        raise ProviderError(
            f'"{name}" did not create a provider',
            hint=f"expected {EXPECTED}",
            where=profile.place("provider", "class"),
        )
    return Provider(name, whole=found)


def imported(profile: ResolvedProfile, key: KeyPath, path: str) -> object:
    """Import what a key of the profile names, if the key's file may."""
    try:
        if action_of(key, path) == "import":
            demand_for(profile, "import", key, path)
        return import_path(path)
    except ProfileError as error:
        error.where = error.where or profile.place(*key)
        raise


def _named(profile: ResolvedProfile, name: str) -> object:
    key = ("provider", "class")
    if "." in name or ":" in name:
        return imported(profile, key, name)
    known = plugins.providers()
    if name not in known:
        raise ProviderError(
            f'unknown provider "{name}"',
            hint=did_you_mean(name, known)
            or f"write package.module.Class, or one of {', '.join(sorted(known))}",
            where=profile.place(*key),
        )
    found = known[name]
    return import_path(found) if isinstance(found, str) else found


def _is_known_kind(found: object) -> bool:
    if isinstance(found, type) and issubclass(found, dspy.Provider):
        return True
    return isinstance(found, dspy.Provider) or _has(found, "complete") or _has(found, "build")


def _has(found: object, method: str) -> bool:
    return callable(getattr(found, method, None)) and not inspect.ismodule(found)


def _engine_lm(engine: object) -> tuple[type, Mapping[str, Any]]:
    """Return the class of LMs that the engine serves, and the arguments that make one."""
    async_side = AsyncSide(engine) if _has(engine, "acomplete") else None
    cls, arguments = _dspy.shape().lm_class(engine, async_side)
    if _dspy.shape().is_offline(engine):
        arguments = {**arguments, "cache": False}  # a generated answer must not enter the cache
    return cls, arguments


def _guarded(profile: ResolvedProfile, name: str, do: Callable[[], T]) -> T:
    try:
        return do()
    except ProfileError:
        raise
    except Exception as error:  # noqa: BLE001 - a provider can raise anything
        message, cause = redacted_error(error)
        raise ProviderError(
            f"build of {name} failed: {message}", where=profile.place("provider", "class")
        ) from cause
