"""The mock: an engine that answers any request offline, the same every time."""

import asyncio
import json
import re
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Self

from dspy_profiles import _dspy
from dspy_profiles.objects.engines._offline import OfflineEngine
from dspy_profiles.objects.engines.mock._origin import origin_of
from dspy_profiles.objects.engines.mock._replies import Asked, Reply
from dspy_profiles.objects.engines.mock._script import Script, Scripted
from dspy_profiles.objects.engines.mock._settings import MockSettings
from dspy_profiles.objects.engines.mock._text import Draw, prompt_of

__all__ = ["MockCall", "MockEngine"]

LM15 = _dspy.shape().lm15
_PIECES = re.compile(r"\s?\w+|\s+|[^\w\s]+")  # about the chunks that a model streams
_CALLS_KEPT = 10_000
_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class MockCall:
    """One call of the mock.

    `outputs` are the fields of the answer as plain data, or None if it has no fields or the call
    failed. `reply` is the text, or None if the call failed; then `error` is the message.
    """

    inputs: dict[str, Any]
    outputs: dict[str, Any] | None
    prompt: str
    error: str | None = None
    reply: str | None = None


class MockEngine(OfflineEngine):
    """Answers every signature with well-typed values; for `dspy.LM(model, engine=MockEngine())`.

    `answers` scripts answers: a table of fields for every call, or a list of tables, each for one
    call or, with `when`, for every call whose input contains that text. Other fields are generated.
    `latency` is in seconds. `failure_rate` is the share of calls that fail, `failure` the kind.
    `input_tokens` and `output_tokens` replace the counts. Another `seed` generates other values.

    A copy of the engine is the engine itself: DSPy copies programs with their LMs, which must
    share scripted answers and calls. A pickled engine keeps its scripted answers only.
    """

    def __init__(  # noqa: PLR0913  # each is a key that a profile may give
        self,
        *,
        answers: Any = None,
        latency: float = 0.0,
        failure_rate: float = 0.0,
        failure: str = "server",
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        seed: int | str = 0,
    ) -> None:
        self._settings = MockSettings(
            answers=answers,
            latency=latency,
            failure_rate=failure_rate,
            failure=failure,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            seed=seed,
        )
        self._script = Script(answers)
        self._start()

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._made = 0
        self._calls: deque[MockCall] = deque(maxlen=_CALLS_KEPT)

    def start_afresh(self) -> None:
        """Forget all calls, and all scripted answers except the profile's, for a new test."""
        with self._lock:
            self._script = Script(self._settings.answers)
            self._made = 0
            self._calls.clear()

    @property
    def calls(self) -> list[MockCall]:
        """The latest calls, at most 10,000, oldest first."""
        with self._lock:
            return list(self._calls)

    def answer(self, text: str | None = None, /, *, when: str | None = None, **fields: Any) -> None:
        """Script an answer to the next call with one of the fields.

        With `when`, to every call whose input contains that text. `text` is the whole completion.

        >>> mock = MockEngine()
        >>> mock.answer(answer="Paris")
        >>> lm = dspy.LM("mock", engine=mock, cache=False)
        >>> with dspy.context(lm=lm):
        ...     dspy.Predict("question -> answer")(question="Capital of France?").answer
        'Paris'
        """
        scripted = Scripted.checked(text, when, fields)
        with self._lock:
            self._script.add(scripted)

    def complete(self, request: Any) -> Any:
        asked, number = self._ask(request)
        self._wait()
        return self._response(asked, self._answer(asked, number))

    async def acomplete(self, request: Any) -> Any:
        asked, number = self._ask(request)
        await asyncio.sleep(self._settings.latency)
        return self._response(asked, self._answer(asked, number))

    def stream(self, request: Any) -> Iterator[Any]:
        asked, number = self._ask(request)
        yield LM15.StreamStartEvent(model=request.model)
        self._wait()
        yield from _events(self._response(asked, self._answer(asked, number)))

    async def astream(self, request: Any) -> AsyncIterator[Any]:
        asked, number = self._ask(request)
        yield LM15.StreamStartEvent(model=request.model)
        await asyncio.sleep(self._settings.latency)
        for event in _events(self._response(asked, self._answer(asked, number))):
            yield event

    def _wait(self) -> None:
        if self._settings.latency:  # even sleep(0) takes time
            time.sleep(self._settings.latency)

    def _ask(self, request: Any) -> tuple[Asked, int]:
        # Read the stack first: after a wait it may no longer be the caller's.
        asked = Asked(
            request=request,
            origin=origin_of(request),
            prompt=prompt_of(request),
            seed=self._settings.seed,
            always=self._script.always,
        )
        with self._lock:
            self._made += 1
            return asked, self._made

    def _answer(self, asked: Asked, number: int) -> Reply:
        inputs = dict(asked.origin.inputs)
        if (error := self._settings.error(number)) is not None:
            self._keep(MockCall(inputs, None, asked.prompt, error=str(error)))
            raise error
        with self._lock:
            earlier = self._extracted(inputs) if asked.origin.extracting else None
            scripted = None if earlier else self._script.take(asked.wanted, asked.said)
        reply = asked.reply(scripted, earlier)
        self._keep(MockCall(inputs, reply.outputs, asked.prompt, reply=reply.text))
        return reply

    def _keep(self, call: MockCall) -> None:
        with self._lock:
            self._calls.append(call)

    def _extracted(self, inputs: dict[str, Any]) -> dict[str, Any] | None:
        """Return the fields of the earlier answer that an adapter's second step extracts."""
        said = (call for call in reversed(self._calls) if call.reply == inputs["text"])
        return next((call.outputs for call in said), None)

    def _response(self, asked: Asked, reply: Reply) -> Any:
        called = json.dumps([list(call) for call in reply.calls]) if reply.calls else ""
        ids = Draw(asked.prompt).child("call")
        parts = [LM15.TextPart(reply.text)] if reply.text or not reply.calls else []
        for place, (name, arguments) in enumerate(reply.calls):
            call_id = f"mock_{ids.child(place).word(8)}"
            parts.append(LM15.ToolCallPart(id=call_id, name=name, input=arguments))
        counted = (_count(asked.prompt), _count(reply.text + called))
        fixed = (self._settings.input_tokens, self._settings.output_tokens)
        tokens = [one if own is None else own for own, one in zip(fixed, counted, strict=True)]
        return LM15.Response(
            id=f"mock_{ids.word(8)}",
            model=asked.request.model,
            message=LM15.Message(role="assistant", parts=tuple(parts)),
            finish_reason="tool_call" if reply.calls else "stop",
            usage=LM15.Usage(input_tokens=tokens[0], output_tokens=tokens[1]),
        )

    def dump_state(self) -> dict[str, Any]:
        """Return the arguments of this engine as JSON data, without answers scripted later."""
        return self._settings.dumped()

    @classmethod
    def load_state(cls, state: dict[str, Any]) -> Self:
        return cls(**state)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __getstate__(self) -> dict[str, Any]:
        with self._lock:
            return {"_settings": self._settings, "_script": self._script}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    def __repr__(self) -> str:
        options = (f"{name}={value!r}" for name, value in self._settings.dumped().items())
        return f"MockEngine({', '.join(options)})"


def _events(response: Any) -> Iterator[Any]:
    """Yield the response as a stream of words."""
    for place, part in enumerate(response.message.parts):
        if part.type == "text":
            for piece in _PIECES.findall(part.text):
                yield LM15.StreamDeltaEvent(LM15.TextDelta(piece, part_index=place))
        else:
            delta = LM15.ToolCallDelta(
                input=json.dumps(part.input), part_index=place, id=part.id, name=part.name
            )
            yield LM15.StreamDeltaEvent(delta)
    yield LM15.StreamEndEvent(finish_reason=response.finish_reason, usage=response.usage)


def _count(text: str) -> int:
    return max(1, -(-len(text) // _CHARACTERS_PER_TOKEN))
