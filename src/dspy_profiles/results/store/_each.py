"""Many experiments one after the other: one that fails keeps no other from its turn."""

from collections.abc import Callable
from typing import Generic, TypeVar

from dspy_profiles.errors import StoreError

__all__ = ["OneByOne"]

T = TypeVar("T")


class OneByOne(Generic[T]):
    """What came of each, and what went wrong. `verb` is what is to be done: "closed"."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._done: list[T] = []
        self._failed: dict[str, StoreError] = {}

    def take(self, experiment_id: str, step: Callable[[str], T]) -> None:
        """Take the step with this one. What is false came of nothing, and does not count."""
        try:
            done = step(experiment_id)
        except StoreError as error:
            self._failed[experiment_id] = error
        else:
            self._done += [done] if done else []

    def all(self, more: int = 0) -> list[T]:
        """What came of them; or one error for all that failed, once all had their turn.

        `more` were done elsewhere. With one failure alone the error is about the same place.
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
