"""Stages for calls: of the whole process, or of one block."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from dspy_profiles import _dspy
from dspy_profiles.activation._session import SESSION
from dspy_profiles.calls import STAGES, Stage, install

__all__ = ["by_rank", "set_process_stages", "stages_for_block"]


def set_process_stages(stages: Sequence[Stage]) -> Sequence[Stage]:
    """Set the stages for calls on every thread, except in blocks with stages of their own.

    Return the stages before.
    """
    install()
    config = _dspy.base_config()
    if config is None:
        return ()  # no session could be pinned either, which was an error
    before: Sequence[Stage] = config.get(STAGES, ())
    if stages:
        dict.__setitem__(config, STAGES, by_rank(stages))
    else:
        dict.pop(config, STAGES, None)
    return before


def by_rank(stages: Iterable[Stage]) -> tuple[Stage, ...]:
    """Return stages in the order in which they run."""
    return tuple(sorted(stages, key=lambda stage: stage.rank))


@contextmanager
def stages_for_block(stages: Sequence[Stage], *, only_over_others: bool = False) -> Iterator[None]:
    """Run a block with these stages in place of those of the process.

    They go where DSPy takes its settings: into the threads of `dspy.Parallel`, even if those
    outlive the block. A `dspy.context` entered inside and left afterwards stays as it is.
    """
    install()
    variable = _dspy.block_overrides()
    if variable is None or (only_over_others and STAGES not in variable.get()):
        yield
        return
    previous = variable.get()
    ours = type(previous)({**SESSION.refreshed(previous), STAGES: by_rank(stages)})
    variable.set(ours)
    try:
        yield
    finally:
        if variable.get() is ours:
            variable.set(previous)  # no reset: it may be left in a copy of the context
