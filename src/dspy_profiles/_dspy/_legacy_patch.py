"""Where DSPy 3.0 to 3.3 calls models: six functions for LiteLLM, and `forward` of other LMs."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any

import dspy
import lm15

from dspy_profiles._dspy import _legacy_data as data
from dspy_profiles._dspy._call import REPLAYED, Attempt, Call, Route
from dspy_profiles._dspy._chunks import chunk_from
from dspy_profiles._dspy._engine_proxy import sent, within
from dspy_profiles._dspy._names import doors, mark, unfit
from dspy_profiles._dspy._plain import request_of
from dspy_profiles._dspy._shape import shape
from dspy_profiles._dspy._stream import areplay_to_stream, is_read, replay_to_stream

__all__ = ["COMPLETIONS", "LM", "OWN", "Passage", "delay_of", "passage_of", "patch"]

LM = "dspy.clients.lm"
KINDS = ("completion", "text_completion", "responses_completion")
COMPLETIONS = tuple(f"{how}litellm_{kind}" for how in ("", "a") for kind in KINDS)
OWN = "dspy_profiles_staged"  # on a `forward` that is led through the stages
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
_passage: ContextVar[Passage | None] = ContextVar("dspy_profiles_passage", default=None)


_routes: list[Route] = []  # the one route, once there is one


def patch(route: Route) -> None:
    """Lead the calls of LMs along the route: behind DSPy's cache, around each try."""
    module = doors(LM, *COMPLETIONS)
    if module is None:
        raise unfit("makes its calls in a way that cannot be followed")
    functions: dict[str, Any] = vars(module)
    for name in COMPLETIONS:
        kind = _astaged if name.startswith("a") else _staged
        functions[name] = kind(functions[name])
    for kind, lead, names in (
        (dspy.LM, _unless_bypassed, ["_get_cached_completion_fn"]),
        (dspy.LM, _of_lm, ["forward"]),
        (dspy.LM, _aof_lm, ["aforward"]),
        (dspy.BaseLM, _with_price, ["_process_lm_response"]),
        (dspy.BaseLM, _with_own_forward, ["__call__", "acall"]),
    ):
        for name in names:
            setattr(kind, name, lead(getattr(kind, name), route))
    dummy: Any = dspy.utils.DummyLM
    if "__call__" in vars(dummy):  # before DSPy 3.2 it answers there
        dummy.__call__ = _of_dummy(dummy.__call__, route)
    _routes.append(route)


def passage_of(lm: Any) -> Passage | None:
    """Begin the passage of a call of this LM; None if it goes past the stages."""
    passage = None
    for route in _routes:
        if stages := route.stages():
            passage = Passage(lm, route, stages)
        else:
            route.passed(lm)
    _passage.set(passage)
    return passage


def _unless_bypassed(choose: Callable[..., Any], route: Route) -> Callable[..., Any]:
    @wraps(choose)
    def patched(self: Any, completion: Any, cache: Any) -> Any:
        return choose(self, completion, cache and not route.bypasses_cache())

    return patched


def _of_lm(forward: Callable[..., Any], route: Route) -> Callable[..., Any]:
    @wraps(forward)
    def patched(self: Any, *arguments: Any, **named: Any) -> Any:
        _begin(self, route)
        completion = forward(self, *arguments, **named)
        return _ended(self, completion, route)

    setattr(patched, OWN, True)
    return patched


def _aof_lm(forward: Callable[..., Any], route: Route) -> Callable[..., Any]:
    @wraps(forward)
    async def patched(self: Any, *arguments: Any, **named: Any) -> Any:
        _begin(self, route)
        completion = await forward(self, *arguments, **named)
        return _ended(self, completion, route)

    setattr(patched, OWN, True)
    return patched


def _begin(lm: Any, route: Route) -> None:
    if not within(lm):
        stages = route.stages()
        _passage.set(Passage(lm, route, stages) if stages else None)


def _ended(lm: Any, completion: Any, route: Route) -> Any:
    if within(lm):
        return completion
    passage = _passage.get()
    if passage is None or not passage.attempts:
        cached = getattr(completion, "cache_hit", False)
        (route.cached if cached else route.passed)(lm)
    return completion


def _staged(complete: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(complete)  # its name is a part of DSPy's cache key
    def patched(request: dict[str, Any], num_retries: int, cache: Any = None) -> Any:
        passage = _passage.get()
        if passage is None or within(passage.lm):
            return complete(request=request, num_retries=num_retries, cache=cache)

        def send() -> Any:
            return complete(request=dict(request), num_retries=0, cache=cache)

        return tried(passage, _request_in(complete, request), request, send)

    return patched


def _astaged(complete: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(complete)
    async def patched(request: dict[str, Any], num_retries: int, cache: Any = None) -> Any:
        passage = _passage.get()
        if passage is None or within(passage.lm):
            return await complete(request=request, num_retries=num_retries, cache=cache)

        async def send() -> Any:
            return await complete(request=dict(request), num_retries=0, cache=cache)

        return await atried(passage, _request_in(complete, request), request, send)

    return patched


def _request_in(complete: Callable[..., Any], legacy: dict[str, Any]) -> Any:
    """Return the request in lm15, if the call is a chat that lm15 has words for."""
    name = complete.__name__.removeprefix("a")
    return request_of(lm15, legacy) if name == "litellm_completion" else None


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
        except Exception as error:
            if (delay := delay_of(passage.lm, error, tries)) is None:
                raise
            time.sleep(delay)
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
        except Exception as error:
            if (delay := delay_of(passage.lm, error, tries)) is None:
                raise
            await asyncio.sleep(delay)
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


def delay_of(lm: Any, error: Exception, tried: int) -> float | None:
    """Return how long to wait before the next try; None if there is none."""
    retries = int(getattr(lm, "num_retries", None) or 0)
    if tried >= retries or not _is_retryable(error):
        return None
    if hasattr(error, REPLAYED) or getattr(error, "retry_after", None) == 0:
        return 0.0
    return float(min(2.0**tried, LONGEST_WAIT))


def _is_retryable(error: Exception) -> bool:
    """Return whether LiteLLM tries again after such an error: after all of a server's."""
    status = getattr(error, "status_code", None) or getattr(error, "status", None)
    if isinstance(status, int):
        return status in (408, 409, 429) or status >= 500  # noqa: PLR2004 - server errors
    return any(name in type(error).__name__ for name in ("Timeout", "Connection", "Transport"))


def _with_price(process: Callable[..., Any], route: Route) -> Callable[..., Any]:
    @wraps(process)
    def patched(self: Any, response: Any, *arguments: Any, **named: Any) -> Any:
        outputs = process(self, response, *arguments, **named)  # first: it was paid for
        passage = _passage.get()
        if passage is not None and passage.lm is self and passage.attempts:
            _passage.set(None)
            if all(attempt.call.replayed for attempt in passage.attempts):
                route.passed(self)
                mark(outputs, replayed=True)
            hidden = getattr(response, "_hidden_params", None) or {}
            passage.attempts[-1].priced(hidden.get("response_cost"))
        return outputs

    return patched


def _with_own_forward(call: Callable[..., Any], route: Route) -> Callable[..., Any]:
    """Before an LM is called, lead its class's own `forward` through the stages."""

    @wraps(call)
    def patched(self: Any, *arguments: Any, **named: Any) -> Any:
        for name, lead in (("forward", _of_other), ("aforward", _aof_other)):
            owner: Any = next((c for c in type(self).__mro__ if name in vars(c)), None)
            forward = vars(owner).get(name) if owner is not None else None
            if owner is not dspy.BaseLM and forward and not hasattr(forward, OWN):
                setattr(owner, name, lead(forward, route))
        return call(self, *arguments, **named)

    return patched


def _legacy_of(lm: Any, prompt: Any, messages: Any, named: dict[str, Any]) -> dict[str, Any]:
    asked = messages or [{"role": "user", "content": prompt}]
    arguments = {**getattr(lm, "kwargs", {}), **named}
    return {"model": lm.model, "messages": asked, **arguments}


def _of_other(forward: Callable[..., Any], route: Route) -> Callable[..., Any]:
    @wraps(forward)
    def patched(self: Any, prompt: Any = None, messages: Any = None, **named: Any) -> Any:
        stages = () if within(self) else route.stages()
        if not stages:
            if not within(self):
                route.passed(self)
            return forward(self, prompt=prompt, messages=messages, **named)
        passage = Passage(self, route, stages)
        _passage.set(passage)
        legacy = _legacy_of(self, prompt, messages, named)
        attempt = passage.attempt(None, legacy, streamed=is_read())
        return route.call(
            attempt,
            lambda: forward(self, prompt=prompt, messages=messages, **named),
            sent(self, attempt.call),
        )

    setattr(patched, OWN, True)
    return patched


def _aof_other(forward: Callable[..., Any], route: Route) -> Callable[..., Any]:
    @wraps(forward)
    async def patched(self: Any, prompt: Any = None, messages: Any = None, **named: Any) -> Any:
        stages = () if within(self) else route.stages()
        if not stages:
            if not within(self):
                route.passed(self)
            return await forward(self, prompt=prompt, messages=messages, **named)
        passage = Passage(self, route, stages)
        _passage.set(passage)
        legacy = _legacy_of(self, prompt, messages, named)
        attempt = passage.attempt(None, legacy, streamed=is_read())
        return await route.acall(
            attempt,
            lambda: forward(self, prompt=prompt, messages=messages, **named),
            sent(self, attempt.call),
        )

    setattr(patched, OWN, True)
    return patched


def _of_dummy(answer: Callable[..., Any], route: Route) -> Callable[..., Any]:
    @wraps(answer)
    def patched(self: Any, prompt: Any = None, messages: Any = None, **named: Any) -> Any:
        stages = route.stages()
        if not stages:
            route.passed(self)
            return answer(self, prompt=prompt, messages=messages, **named)
        legacy = _legacy_of(self, prompt, messages, named)
        attempt = Passage(self, route, stages).attempt(None, legacy, streamed=False)
        send = partial(answer, self, prompt=prompt, messages=messages, **named)
        outputs = route.call(attempt, send)
        attempt.priced(None)
        return outputs

    return patched
