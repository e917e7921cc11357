"""A profile for one block: a wrapper of `dspy.context` that speaks only for its own keys."""

import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from dspy_profiles import plugins
from dspy_profiles.activation.prepared import Prepared, prepared
from dspy_profiles.resolved import ACTIVE, ResolvedProfile
from dspy_profiles.resolver import Overrides, check_overrides

if TYPE_CHECKING:
    from dspy_profiles.activation.taping import Tape

__all__ = ["Overlay", "current_profile", "overlay", "profile"]


class profile:  # noqa: N801 - it reads as a function: with profile("prod"): …
    """Run a block under a profile.

    >>> with profile("mock", settings={"num_threads": 2}) as p:  # doctest: +SKIP
    ...     dspy.Predict("question -> answer")(question="Why?")

    Without a name: `DSPY_PROFILE`, the setting `default`, or the profile called "default".
    Overrides are sections. Leaving the block puts back exactly what was there.

    With a cassette, what models say is replayed from that file, or recorded there: `cassettes` is
    the mode, "none" to replay alone, "once", "new" or "all" to record.
    """

    __slots__ = ("_cassette", "_entered", "_mode", "_name", "_overrides")

    def __init__(
        self,
        name: str | None = None,
        *,
        cassette: str | os.PathLike[str] | None = None,
        cassettes: str | None = None,
        **overrides: Mapping[str, Any],
    ) -> None:
        overrides = Overrides(overrides)  # an error's frames are printed by some: not with secrets
        if overrides:
            check_overrides(
                overrides, name or ""
            )  # at a decoration already, not only at the first call
        self._name = name
        self._overrides = overrides
        self._cassette = cassette
        self._mode = cassettes
        self._entered: list[Overlay] = []

    def __enter__(self) -> ResolvedProfile:
        ready = prepared(self._name, self._overrides)
        entered = overlay(ready, None if self._cassette is None else self._tape(ready))
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
        if here.tape is not None:
            here.tape.end(error)
        elif kind is not None and not issubclass(kind, Exception) and current_profile() is None:
            from dspy_profiles.calls.held import let_out  # imports DSPy

            let_out(error)  # the outermost block is where an error of ours comes out

    def _tape(self, ready: Prepared) -> "Tape":
        from dspy_profiles.activation.taping import Tape  # imports DSPy

        return Tape(cast("str", self._cassette), self._mode, ready.profile)


class Overlay:
    """One entered block: the overrides that it laid over DSPy's, and those that were before."""

    __slots__ = ("_fallback", "_laid", "_previous", "_token", "_variable", "profile", "tape")

    def __init__(
        self, ready: Prepared, variable: ContextVar[Any] | None, tape: "Tape | None" = None
    ) -> None:
        self.profile = ready.profile
        self.tape = tape
        self._variable = variable
        if variable is None:
            self._fallback = _context(ready, tape)
            self._fallback.__enter__()
            return
        self._previous = previous = variable.get()
        laid = {**previous, **ready.values}  # DSPy's own threads hold plain dictionaries, too
        if ready.callbacks:
            laid["callbacks"] = _added_up(ready.callbacks)
        if tape is not None:
            laid.update(tape.settings())
        self._laid = laid
        self._token: Token[Any] = variable.set(laid)

    def is_here(self) -> bool:
        """Whether this is the innermost block of the running thread or task."""
        return self._variable is None or self._variable.get() is self._laid

    def leave(self) -> None:
        """Put back what was there, whatever has happened in between."""
        if self._variable is None:
            self._fallback.__exit__(None, None, None)
        elif self.is_here():
            try:
                self._variable.reset(self._token)
            except ValueError:  # left in a copy of the context that it was entered in
                self._variable.set(self._previous)
                self._disarm()
        else:  # left elsewhere, or before a block inside of it: whoever comes back finds nothing
            self._disarm()
        if "dspy_profiles_deactivated" in plugins.listening:
            plugins.manager().hook.dspy_profiles_deactivated(profile=self.profile)

    def _disarm(self) -> None:
        self._laid.clear()
        self._laid.update(self._previous)


def overlay(ready: Prepared, tape: "Tape | None" = None) -> Overlay:
    """Enter a block."""
    entered = Overlay(ready, _variable(), tape)
    if "dspy_profiles_activated" in plugins.listening:
        try:
            plugins.manager().hook.dspy_profiles_activated(profile=ready.profile)
        except BaseException:  # who hears of it may fail: then nothing was entered
            entered.leave()
            raise
    return entered


def current_profile() -> ResolvedProfile | None:
    """The profile that is active here: of a block, of the session, or configured. Else None."""
    if "dspy" not in sys.modules:
        return None
    import dspy

    active: ResolvedProfile | None = dspy.settings.get(ACTIVE)
    return active


@cache
def _variable() -> ContextVar[Any] | None:
    from dspy_profiles import dspy_internals  # imports DSPy

    return dspy_internals.block_overrides()


def _context(ready: Prepared, tape: "Tape | None") -> AbstractContextManager[None]:
    import dspy

    values = {**ready.values, **(tape.settings() if tape is not None else {})}
    if ready.callbacks:
        values["callbacks"] = _added_up(ready.callbacks)
    entered: AbstractContextManager[None] = dspy.context(**values)
    return entered


def _added_up(ours: tuple[Any, ...]) -> list[Any]:
    import dspy

    there = list(dspy.settings.callbacks)
    return there + [callback for callback in ours if callback not in there]
