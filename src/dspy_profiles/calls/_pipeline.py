"""One call, led through the stages."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from dspy_profiles.calls._caller import calling_line
from dspy_profiles.calls._held import Refused
from dspy_profiles.calls._stage import Answer, Call, Stage

__all__ = ["StagedCall", "result_of"]


class StagedCall:
    """One call's way through the stages: those that were asked hear how it ended.

    `events` are those that have waited for its end.
    """

    def __init__(self, call: Call, stages: Sequence[Stage]) -> None:
        self.call = call
        self._stages = stages
        self._asked: list[Stage] = []
        self._over = False
        self.events: Sequence[Any] = ()

    def make(self, send: Callable[[], Any], of: Callable[[Any], Answer] = Answer) -> Any:
        """The result of the call, or what a stage has in its place."""
        if (given := self.ask()) is not None:
            return result_of(given)
        try:
            result = send()
        except BaseException as error:
            self.fail(error)
            raise
        return self.told(of(result)).result

    async def amake(
        self, send: Callable[[], Awaitable[Any]], of: Callable[[Any], Answer] = Answer
    ) -> Any:
        """The same, where the call is awaited."""
        if (given := self.ask()) is not None:
            return result_of(given)
        try:
            result = await send()
        except BaseException as error:
            self.fail(error)
            raise
        return self.told(of(result)).result

    def ask(self) -> Answer | None:
        """Ask each stage in turn; the first that answers ends it."""
        for stage in self._stages:
            try:
                answer = stage.before(self.call)
            except Refused as held:
                self._held_back(held, stage)
                raise
            if answer is not None:
                self.call.replayed = True
                self.told(answer)
                return answer
            self._asked.append(stage)
        return None

    def told(self, answer: Answer) -> Answer:
        """The answer, with what the stages have put in it."""
        if self._is_first_end():
            for stage in reversed(self._asked):
                stage.after(self.call, answer)
            self.events = answer.events or ()
        return answer

    def fail(self, error: BaseException) -> None:
        """Raise what a stage wants in the error's place; else the caller raises it again."""
        if (instead := self.ended(error)) is not error:
            raise instead from None

    def ended(self, error: BaseException) -> BaseException:
        """The error, or what a stage wants raised in its place."""
        if self._is_first_end():
            for stage in reversed(self._asked):
                error = stage.failed(self.call, error) or error
            self.events = self.call.events
        return error

    def _is_first_end(self) -> bool:
        # A stream may fail when all of it has been read; the call has been answered all the same.
        over, self._over = self._over, True
        return not over

    def priced(self, cost: float | None) -> None:
        """Said once, when DSPy has finished the call; all hear of it before one holds it up."""
        refused: Refused | None = None
        for stage in reversed(self._asked):
            try:
                stage.priced(self.call, cost)
            except Refused as held:
                refused = held
        if refused is not None:
            self._held_back(refused)
            raise refused

    def _held_back(self, held: Refused, *by: Stage) -> None:
        if held.error.where is None:
            held.error.where = calling_line()
        for each in (*self._asked, *by):
            each.held(self.call, held.error)


def result_of(given: Answer) -> Any:
    """What a stage has in place of a call; its error is raised as the model's would be."""
    if given.error is not None:
        raise given.error
    return given.result
