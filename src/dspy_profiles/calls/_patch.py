"""The route of DSPy's calls through the stages that are active where they are made."""

from collections.abc import Callable, Sequence
from typing import Any

import dspy

from dspy_profiles import _dspy
from dspy_profiles._dspy import Call
from dspy_profiles._locks import ProcessLock
from dspy_profiles.calls import _drivers
from dspy_profiles.calls._pipeline import StagedCall
from dspy_profiles.calls._stage import STAGES, Stage

__all__ = ["install", "watch"]

_lock = ProcessLock()
_installed = False
_watchers: list[Callable[[Any], None]] = []


def install() -> None:
    """Lead every call from now on through the stages that are active where it is made.

    Without stages, calls go their way as before. Raises if this DSPy cannot be patched: a guard
    that misses calls would be worse than none.
    """
    global _installed  # noqa: PLW0603 - once per process
    with _lock:
        if not _installed:
            _dspy.patch(Stages())
            _installed = True


def watch(notice: Callable[[Any], None]) -> None:
    """Call `notice` with the LM of every call from now on, even without stages."""
    install()
    if notice not in _watchers:
        _watchers.append(notice)


def _show(lm: Any) -> None:
    for notice in _watchers:
        notice(lm)


class _Watchers(Stage):
    """Last stage: it is asked only about calls that are not blocked."""

    def before(self, call: Call) -> None:
        if call.kind == "lm":
            _show(call.lm)


_LAST = _Watchers()


class Stages:
    """The route through the active stages."""

    call = staticmethod(_drivers.call)
    acall = staticmethod(_drivers.acall)
    stream = staticmethod(_drivers.stream)
    astream = staticmethod(_drivers.astream)
    passed = staticmethod(_show)

    @staticmethod
    def stages() -> Sequence[Stage]:
        active: Sequence[Stage] = dspy.settings.get(STAGES, ())
        return active

    @classmethod
    def bypasses_cache(cls) -> bool:
        return any(stage.bypasses_cache for stage in cls.stages())

    @staticmethod
    def attempt(call: Call, stages: Sequence[Stage]) -> StagedCall:
        return StagedCall(call, (*stages, _LAST))

    @classmethod
    def cached(cls, lm: Any) -> None:
        _show(lm)
        for stage in cls.stages():
            stage.cached(lm)
