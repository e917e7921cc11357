"""The attempts of one call in DSPy 3.0 to 3.3: each of them passes the stages."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from dspy_profiles._dspy import _legacy_data as data
from dspy_profiles._dspy._call import REPLAYED, Attempt, Call, Route
from dspy_profiles._dspy._chunks import chunk_from
from dspy_profiles._dspy._engine_proxy import sent
from dspy_profiles._dspy._legacy_errors import as_of_litellm
from dspy_profiles._dspy._shape import shape
from dspy_profiles._dspy._stream import areplay_to_stream, is_read, replay_to_stream

__all__ = ["PASSAGE", "ROUTES", "Passage", "atried", "passage_of", "pause_after", "tried"]

# Parts of the names of errors that may pass, for those without a status.
PASSING = ("Connection", "RateLimit", "Server", "Timeout", "Transport")
LONGEST_WAIT = 10.0  # seconds between two tries, as LiteLLM waits


@dataclass(eq=False)
class Passage:
    """The attempts of one call of an LM."""

    lm: Any
    route: Route
    stages: Sequence[Any]
    attempts: list[Attempt] = field(default_factory=list)

    def attempt(self, request: Any, legacy: Any, *, streamed: bool) -> Any:
        call = Call(
            "lm",
            self.lm.model,
            self.lm,
            request=request,
            legacy=legacy if request is None else {},
            rollout=legacy.get("rollout_id"),
            offline=shape().is_offline(self.lm),
            streamed=streamed,
        )
        attempt = self.route.attempt(call, self.stages)
        self.attempts.append(attempt)
        return attempt


# The passage of the call that runs here, until its price is known.
PASSAGE: ContextVar[Passage | None] = ContextVar("dspy_profiles_passage", default=None)
ROUTES: list[Route] = []  # the one route, once there is one


def passage_of(lm: Any) -> Passage | None:
    """Begin the passage of a call of this LM; None if it goes past the stages."""
    passage = None
    for route in ROUTES:
        if stages := route.stages():
            passage = Passage(lm, route, stages)
        else:
            route.passed(lm)
    PASSAGE.set(passage)
    return passage


def tried(passage: Passage, request: Any, legacy: Any, send: Callable[[], Any]) -> Any:
    """Make a call; after an error that may pass, make it again."""
    tries = 0
    while True:
        attempt = passage.attempt(request, legacy, streamed=is_read())
        forms = Forms(attempt)
        try:
            try:
                with_forms = partial(forms.made, send)
                answer = passage.route.call(attempt, with_forms, sent(passage.lm, attempt.call))
                return forms.completion(answer)
            finally:
                if chunks := forms.chunks():
                    replay_to_stream(chunks)
        except Exception as error:  # noqa: BLE001 - `pause_after` raises it in the end
            time.sleep(pause_after(error, passage.lm, tries))
        tries += 1


async def atried(
    passage: Passage, request: Any, legacy: Any, send: Callable[[], Awaitable[Any]]
) -> Any:
    """Do the same where the model is awaited."""
    tries = 0
    while True:
        attempt = passage.attempt(request, legacy, streamed=is_read())
        forms = Forms(attempt)
        try:
            try:
                with_forms = partial(forms.amade, send)
                answer = await passage.route.acall(
                    attempt, with_forms, sent(passage.lm, attempt.call)
                )
                return forms.completion(answer)
            finally:
                if chunks := forms.chunks():
                    await areplay_to_stream(chunks)
        except Exception as error:  # noqa: BLE001 - `pause_after` raises it in the end
            await asyncio.sleep(pause_after(error, passage.lm, tries))
        tries += 1


class Forms:
    """What one attempt gets: LiteLLM's objects for DSPy, those of lm15 for the stages."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._call = attempt.call
        self._completion: Any = None
        self._response: Any = None

    def made(self, send: Callable[[], Any]) -> Any:
        try:
            return self._answered(send())
        except BaseException:
            self._keep_events()
            raise

    async def amade(self, send: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return self._answered(await send())
        except BaseException:
            self._keep_events()
            raise

    def _answered(self, completion: Any) -> Any:
        if self._call.request is None:
            return completion
        self._keep_events(completion)
        self._completion, self._response = completion, data.response_of(completion)
        return self._response

    def _keep_events(self, completion: Any = None) -> None:
        call = self._call
        if call.whole and call.streamed and call.request is not None:
            call.events = data.events_of_chunks(call.events, completion)

    def completion(self, answer: Any) -> Any:
        """Return what DSPy gets: what LiteLLM has made, unless a stage has another answer."""
        if self._call.request is None:
            return answer
        if answer is None:  # a stage has events in its place
            answer = data.materialized(self._attempt.delivered, self._call.request)
        return self._completion if answer is self._response else data.completion_of(answer)

    def chunks(self) -> list[Any]:
        """Return the chunks that a stage has kept back, or has in place of the call's."""
        if not self._call.streamed or self._call.request is None:
            return []
        made = data.chunks_of(self._attempt.delivered, self._call.model)
        return [chunk_from(chunk) for chunk in made]


def pause_after(error: Exception, lm: Any, tried: int) -> float:
    """Return the seconds to wait before the next try. If there is none, raise the error."""
    retries = int(getattr(lm, "num_retries", None) or 0)
    if tried >= retries or not _is_retryable(error):
        if (known := as_of_litellm(error, lm)) is error:
            raise error
        raise known from error
    if hasattr(error, REPLAYED) or getattr(error, "retry_after", None) == 0:
        return 0.0
    return float(min(2.0**tried, LONGEST_WAIT))


def _is_retryable(error: Exception) -> bool:
    """Return whether LiteLLM tries again after such an error: after all of a server's."""
    status = getattr(error, "status_code", None) or getattr(error, "status", None)
    if isinstance(status, int):
        return status in (408, 409, 429) or status >= 500  # noqa: PLR2004 - server errors
    return any(name in type(error).__name__ for name in PASSING)
