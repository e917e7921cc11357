"""The stages that calls pass: for the whole process, or laid over what is in force here."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from dspy_profiles import _dspy
from dspy_profiles.activation._session import SESSION
from dspy_profiles.calls import STAGES, Stage, install

__all__ = ["by_rank", "set_process_stages", "stages_for_block"]


def set_process_stages(stages: Sequence[Stage]) -> Sequence[Stage]:
    """From now on the calls of every thread pass these, but where others are laid over them.

    What stood before comes back.
    """
    install()
    config = _dspy.base_config()
    if config is None:
        return ()  # a session could not be pinned either, and has said so
    before: Sequence[Stage] = config.get(STAGES, ())
    if stages:
        dict.__setitem__(config, STAGES, by_rank(stages))
    else:
        dict.pop(config, STAGES, None)
    return before


def by_rank(stages: Iterable[Stage]) -> tuple[Stage, ...]:
    """In the order in which they are asked."""
    return tuple(sorted(stages, key=lambda stage: stage.rank))


@contextmanager
def stages_for_block(stages: Sequence[Stage], *, only_over_others: bool = False) -> Iterator[None]:
    """Lay them over what stands here, and over what a dspy.context around us has copied.

    They go where DSPy takes its settings: into the threads of `dspy.Parallel`, also when those
    outlive this block. A context that is entered inside and left after it stays as it is.
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
