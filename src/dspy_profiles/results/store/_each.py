"""Many experiments one after the other: the rest are done even if one fails."""

from collections.abc import Callable
from typing import Generic, TypeVar

from dspy_profiles.errors import StoreError
from dspy_profiles.results._ids import begun
from dspy_profiles.results._model import UNREADABLE, Experiment

__all__ = ["OneByOne", "unreadable"]

T = TypeVar("T")


class OneByOne(Generic[T]):
    """Results and errors of the steps. `verb` names the step in errors: "closed"."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._done: list[T] = []
        self._failed: dict[str, StoreError] = {}

    def take(self, experiment_id: str, step: Callable[[str], T]) -> None:
        """Do the step for an experiment. A false result does not count."""
        try:
            done = step(experiment_id)
        except StoreError as error:
            self._failed[experiment_id] = error
        else:
            self._done += [done] if done else []

    def all(self, more: int = 0) -> list[T]:
        """Return the results, or raise one error for all steps that failed.

        `more` is the number of experiments that were done elsewhere.
        """
        if not self._failed:
            return self._done
        count = len(self._done) + more
        rest = f", {count} other{' was' if count == 1 else 's were'}" if count else ""
        first, *others = self._failed.values()
        if not others:
            name = next(iter(self._failed))
            message = f"the experiment {name} could not be {self._verb}{rest}: {first.message}"
            raise StoreError(message, first.hint, first.where)
        each = (f"  {name}: {error.message}" for name, error in self._failed.items())
        head = f"{len(self._failed)} experiments could not be {self._verb}{rest}:"
        raise StoreError("\n".join([head, *each]), first.hint)


def unreadable(experiment_id: str, error: StoreError) -> Experiment:
    """Return an experiment that cannot be read, for a list: with its id, and the reason."""
    where = None if error.where is None else str(error.where)
    details = {"error": error.message, "hint": error.hint, "where": where}
    return Experiment(
        id=experiment_id,
        name="?",
        hypothesis=None,
        program=None,
        profile=None,
        status=UNREADABLE,
        started=begun(experiment_id),
        cost=None,
        details=details,
    )
