"""The state of one call on its way through the stages. No I/O: see `_drivers`."""

from collections.abc import Sequence
from typing import Any

from dspy_profiles import _dspy
from dspy_profiles._dspy import Call
from dspy_profiles.calls._caller import calling_line
from dspy_profiles.calls._held import BrokenOff, Refused
from dspy_profiles.calls._stage import Answer, Stage

__all__ = ["StagedCall", "result_of"]


class StagedCall:
    """One attempt to reach a model, and the stages that it passes.

    `start` asks the stages. If none of them answers, the driver makes the call and reports
    `succeeded` or `failed`; of a stream, each event to `received`, then `ended` or `broken`.
    Every stage that was asked is told once how the call ended.
    """

    def __init__(self, call: Call, stages: Sequence[Stage]) -> None:
        self.call = call
        self._stages = stages
        self._asked: list[Stage] = []
        self._is_over = False
        self._received: list[Any] = []
        self._sent: Sequence[Any] = ()

    @property
    def chunks(self) -> Sequence[Any]:
        """The chunks that waited for the end, to be sent past DSPy to the reader of a stream."""
        return self._sent if self.call.streamed and self.call.request is None else ()

    @property
    def delivered(self) -> Sequence[Any]:
        """The events that waited for the end, or that a stage has in place of the call's."""
        return self._sent

    def start(self) -> Answer | None:
        """Ask each stage by rank. Return the first answer, or None to make the call."""
        for stage in self._stages:
            try:
                answer = stage.before(self.call)
            except Refused as refused:
                self._refused(refused, stage)
                raise
            if answer is not None:
                self.call.replayed = True
                return self._succeed(answer)
            self._asked.append(stage)
        return None

    def succeeded(self, result: Any) -> Answer:
        """Return the answer, with what the stages have changed in it."""
        call = self.call
        answer = Answer(result)
        if call.kind == "lm":
            answer.usage = _dspy.shape().usage_of(result, call.provider)
            if call.whole and call.streamed:
                answer.events = call.events
        return self._succeed(answer)

    def failed(self, error: BaseException) -> None:
        """Raise the error that a stage wants instead; without one, the driver raises again."""
        if (instead := self._fail(error)) is not error:
            raise instead from None

    def received(self, event: Any) -> bool:
        """Return whether an event goes to DSPy at once; if not, it waits for the end."""
        self._received.append(event)
        if self.call.whole:
            return False
        if _is_end(event):  # DSPy stops reading here
            self._succeed(self._streamed())
        return True

    def ended(self, error: Exception | None = None) -> Answer:
        """Return the events that waited for the end of a stream, and the error to raise then."""
        if not self.call.whole:
            self._fail(BrokenOff())
            return Answer()
        if any(map(_is_end, self._received)):
            answer = self._succeed(self._streamed())
            answer.error = error
            return answer
        self.call.events = self._received
        instead = self._fail(error or BrokenOff())
        if isinstance(instead, Exception):
            error = None if isinstance(instead, BrokenOff) else instead
        return Answer(events=self.call.events, error=error)

    def broken(self, error: BaseException) -> Answer | None:
        """Like `ended`, for a stream that raised. None: no event waits, the driver raises again."""
        if self.call.whole and isinstance(error, Exception):
            return self.ended(error)
        self.failed(error)
        return None

    def priced(self, cost: float | None) -> None:
        """Tell the stages the cost of the finished call; all of them, before one refuses it."""
        refusal: Refused | None = None
        for stage in reversed(self._asked):
            try:
                stage.priced(self.call, cost)
            except Refused as refused:
                refusal = refused
        if refusal is not None:
            self._refused(refusal)
            raise refusal

    def _succeed(self, answer: Answer) -> Answer:
        if self._is_first_end():
            for stage in reversed(self._asked):
                stage.after(self.call, answer)
            self._sent = answer.events or ()
        return answer

    def _fail(self, error: BaseException) -> BaseException:
        if self._is_first_end():
            for stage in reversed(self._asked):
                error = stage.failed(self.call, error) or error
            self._sent = self.call.events
        return error

    def _is_first_end(self) -> bool:
        # A stream can fail after its end event: by then the call has been answered.
        is_over, self._is_over = self._is_over, True
        return not is_over

    def _streamed(self) -> Answer:
        end = next(filter(_is_end, reversed(self._received)), None)
        return Answer(events=self._received, usage=_dspy.shape().usage_of(end, self.call.provider))

    def _refused(self, refused: Refused, *by: Stage) -> None:
        if refused.error.where is None:
            refused.error.where = calling_line()
        for stage in (*self._asked, *by):
            stage.held(self.call, refused.error)


def result_of(answer: Answer) -> Any:
    """Return the result. Raises the answer's error as the model's own would be raised."""
    if answer.error is not None:
        raise answer.error
    return answer.result


def _is_end(event: Any) -> bool:
    return getattr(event, "type", None) == "end"
