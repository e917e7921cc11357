"""A profile for one block: a wrapper of `dspy.context` that sets only the profile's own keys."""

import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from dspy_profiles import plugins
from dspy_profiles.activation._cache import CACHE
from dspy_profiles.activation._overlay import Overlay, combined
from dspy_profiles.activation._prepare import Prepared
from dspy_profiles.errors import InvalidProfile
from dspy_profiles.profiles import ACTIVE, Overrides, ResolvedProfile, check_overrides

if TYPE_CHECKING:
    from dspy_profiles.activation._cassette import BlockCassette

__all__ = ["current_profile", "profile"]


class profile:  # noqa: N801 - it reads as a function: with profile("prod"): …
    """Run a block under a profile.

    >>> with profile("mock", settings={"num_threads": 2}) as p:  # doctest: +SKIP
    ...     dspy.Predict("question -> answer")(question="Why?")

    Without a name: `DSPY_PROFILE`, the setting `default`, or the profile called "default".
    In place of a name: a `ResolvedProfile`, also one that another process resolved; secrets are
    those of this process. Overrides are sections. Leaving the block restores what was there.

    With a cassette, responses are replayed from that file, or recorded there: `cassettes` is the
    mode, "none" to only replay, "once", "new" or "all" to record.
    """

    __slots__ = ("_cassette", "_entered", "_mode", "_name", "_overrides")

    def __init__(
        self,
        name: str | ResolvedProfile | None = None,
        *,
        cassette: str | os.PathLike[str] | None = None,
        cassettes: str | None = None,
        **overrides: Mapping[str, Any],
    ) -> None:
        if cassettes is not None and cassette is None:
            raise InvalidProfile(
                "cassettes= needs a cassette=",
                hint=f'profile(…, cassette="FILE.jsonl", cassettes="{cassettes}")',
            )
        if overrides:
            overrides = Overrides(overrides)  # a printed frame must show no secret
            check_overrides(
                overrides, name if isinstance(name, str) else ""
            )  # where it is written, not where it is entered
        self._name = name
        self._overrides = overrides
        self._cassette = cassette
        self._mode = cassettes
        self._entered: list[_Overlay] = []

    def __enter__(self) -> ResolvedProfile:
        ready = CACHE.get(self._name, self._overrides)
        entered = _overlay(ready, None if self._cassette is None else self._open_cassette(ready))
        self._entered.append(entered)
        return entered.profile

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        here = self._entered.pop()
        if self._entered and not here.is_here():
            # One object may be entered by several threads: each leaves the block that it is in.
            self._entered.append(here)
            here = next((o for o in reversed(self._entered) if o.is_here()), here)
            self._entered.remove(here)
        here.leave()
        if here.cassette is not None:
            here.cassette.end(error)
        if kind is not None and not issubclass(kind, Exception):
            _raise_refusal(error, is_outermost=here.cassette is not None or _is_outermost())

    def _open_cassette(self, ready: Prepared) -> "BlockCassette":
        from dspy_profiles.activation._cassette import BlockCassette  # imports DSPy

        return BlockCassette(cast("str", self._cassette), self._mode, ready.profile)


class _Overlay(Overlay):
    """One entered block: its profile, and its overrides of DSPy's settings."""

    __slots__ = ("_fallback", "cassette", "profile")

    def __init__(
        self,
        ready: Prepared,
        variable: ContextVar[Any] | None,
        cassette: "BlockCassette | None" = None,
    ) -> None:
        self.profile = ready.profile
        self.cassette = cassette
        self._fallback: AbstractContextManager[None] | None = None
        if variable is None:
            import dspy

            self._fallback = dspy.context(**_values(ready, cassette))
            self._fallback.__enter__()
            return
        previous = variable.get()
        table = {**previous, **_values(ready, cassette)}  # a plain one, as DSPy's own threads have
        Overlay.__init__(self, variable, previous, table)  # super() would cost each activation more

    def is_here(self) -> bool:
        return self._fallback is not None or super().is_here()

    def leave(self) -> None:
        """Restore the settings before, and call the hook of plugins."""
        if self._fallback is not None:
            self._fallback.__exit__(None, None, None)
        else:
            self.remove()
        if "dspy_profiles_deactivated" in plugins.listening:
            plugins.manager().hook.dspy_profiles_deactivated(profile=self.profile)


def _overlay(ready: Prepared, cassette: "BlockCassette | None" = None) -> _Overlay:
    """Enter a block."""
    entered = _Overlay(ready, _variable(), cassette)
    if "dspy_profiles_activated" in plugins.listening:
        try:
            plugins.manager().hook.dspy_profiles_activated(profile=ready.profile)
        except BaseException:  # a plugin failed: then nothing was entered
            entered.leave()
            raise
    return entered


def current_profile() -> ResolvedProfile | None:
    """Return the active profile, or None. Does not import DSPy."""
    if "dspy" not in sys.modules:
        return None
    import dspy

    active: ResolvedProfile | None = dspy.settings.get(ACTIVE)
    return active


@cache
def _variable() -> ContextVar[Any] | None:
    from dspy_profiles import _dspy  # imports DSPy

    return _dspy.block_overrides()


def _values(ready: Prepared, cassette: "BlockCassette | None") -> Mapping[str, Any]:
    """Return the settings of a block: with combined callbacks, its cassette and its guard."""
    if cassette is None and not ready.callbacks and ready.guard is None:
        return ready.values
    import dspy

    from dspy_profiles.activation._session import SESSION
    from dspy_profiles.activation._stages import by_rank
    from dspy_profiles.calls import STAGES

    values = dict(ready.values)
    if ready.callbacks:
        values["callbacks"] = combined(dspy.settings.callbacks, ready.callbacks)
    if cassette is not None:
        values.update(cassette.settings())
    if ready.guard is not None and SESSION.innermost() is None:  # a session has its own
        around = values.get(STAGES) or dspy.settings.get(STAGES, ())
        values[STAGES] = by_rank([*(s for s in around if s is not ready.guard), ready.guard])
    return values


def _is_outermost() -> bool:
    """Return whether no block and no session is around. `configure` is neither: it has no end."""
    from dspy_profiles.activation._session import SESSION  # imports DSPy

    variable = _variable()
    if variable is None:
        return current_profile() is None
    return ACTIVE not in variable.get() and SESSION.innermost() is None


def _raise_refusal(error: BaseException | None, *, is_outermost: bool) -> None:
    """Raise a refusal as the error it carries, unless DSPy would count it as a failed example."""
    from dspy_profiles import _dspy  # imports DSPy
    from dspy_profiles.calls import raise_refusal

    if is_outermost and not _dspy.is_swallowing():
        raise_refusal(error)
