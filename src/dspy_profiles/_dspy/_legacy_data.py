"""Chat completions as DSPy 3.0 to 3.3 sends and gets them by LiteLLM, and the same in lm15."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import lm15
from lm15.result import materialize_response

from dspy_profiles._dspy._names import litellm
from dspy_profiles._dspy._plain import body_of

__all__ = [
    "chunks_of",
    "completion_from",
    "completion_of",
    "events_of_chunks",
    "materialized",
    "response_of",
    "usage_of",
]

FINISHED = {"stop": "stop", "length": "length", "tool_call": "tool_calls"}


def response_of(completion: Any) -> Any:
    """Return the lm15 response of a chat completion with one answer."""
    return lm15.response_from_openai_chat(body_of(completion))


def completion_of(*responses: Any) -> Any:
    """Return the chat completion with what lm15 responses say, one choice each."""
    choices = [{**_choice(one), "index": place} for place, one in enumerate(responses)]
    usage: dict[str, int] = {}
    for one in responses:
        for name, count in usage_of(one.usage).items():
            usage[name] = usage.get(name, 0) + count
    return completion_from({"model": responses[0].model, "choices": choices, "usage": usage})


def _choice(response: Any) -> dict[str, Any]:
    text, thinking = "", ""
    calls = []
    for part in response.message.parts:
        match part.type:
            case "text" | "refusal":
                text += part.text
            case "thinking":
                thinking += part.text
            case "data":
                text += json.dumps(part.value, ensure_ascii=False)
            case "tool_call":
                called = {"name": part.name, "arguments": json.dumps(part.input)}
                calls.append({"id": part.id, "type": "function", "function": called})
    message: dict[str, Any] = {"role": "assistant", "content": None if calls and not text else text}
    if calls:
        message["tool_calls"] = calls
    if thinking:
        message["reasoning_content"] = thinking
    return {"message": message, "finish_reason": _finish(response.finish_reason)}


def _finish(reason: str | None) -> str:
    return FINISHED.get(reason or "stop", reason or "stop")


def completion_from(body: Mapping[str, Any]) -> Any:
    """Return LiteLLM's object of a completion, with its price where LiteLLM knows it."""
    library = litellm("a recorded answer")
    usage = {key: value for key, value in (body.get("usage") or {}).items() if value is not None}
    made = library.ModelResponse(**{**body, "usage": usage})
    try:
        cost = library.completion_cost(completion_response=made)
    except Exception:  # noqa: BLE001 - LiteLLM raises a plain one for a model that it does not know
        cost = None
    vars(made)["_hidden_params"] = {"response_cost": cost}  # where DSPy looks for it
    return made


def usage_of(usage: Any) -> dict[str, Any]:
    """Return the counts of lm15 under the names that DSPy has for them."""
    counts = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }
    if counts["total_tokens"] is None and None not in (usage.input_tokens, usage.output_tokens):
        counts["total_tokens"] = usage.input_tokens + usage.output_tokens
    return {name: count for name, count in counts.items() if count is not None}


def chunks_of(events: Iterable[Any], model: str) -> Iterator[dict[str, Any]]:
    """Yield what LiteLLM would send for these events, as plain data."""
    for event in events:
        delta: dict[str, Any] = {}
        reason = None
        if event.type == "delta":
            piece = event.delta
            match piece.type:
                case "text":
                    delta = {"content": piece.text}
                case "thinking":
                    delta = {"reasoning_content": piece.text}
                case "tool_call":
                    called = {"name": piece.name, "arguments": piece.input}
                    place = {"index": piece.part_index, "id": piece.id, "type": "function"}
                    delta = {"tool_calls": [{**place, "function": called}]}
                case _:
                    continue
        elif event.type == "end":
            reason = _finish(event.finish_reason)
        else:
            continue
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        yield {"model": model, "choices": [choice]}


def events_of_chunks(chunks: Sequence[Any], completion: Any = None) -> list[Any]:
    """Return the events that LiteLLM's chunks bring; with the completion, also their end."""
    events: list[Any] = []
    if chunks:
        events.append(lm15.StreamStartEvent(model=chunks[0].model))
    places: dict[str, int] = {}  # of the parts, in the order in which they begin
    for chunk in chunks:
        for choice in chunk.choices[:1]:
            deltas = _deltas(choice.delta, places)
            events.extend(lm15.StreamDeltaEvent(delta) for delta in deltas)
    if completion is not None:
        response = response_of(completion)
        end = lm15.StreamEndEvent(finish_reason=response.finish_reason, usage=response.usage)
        events.append(end)
    return events


def _deltas(delta: Any, places: dict[str, int]) -> Iterator[Any]:
    def place(part: str) -> int:
        return places.setdefault(part, len(places))

    if thinking := getattr(delta, "reasoning_content", None):
        yield lm15.ThinkingDelta(thinking, part_index=place("thinking"))
    if delta.content:
        yield lm15.TextDelta(delta.content, part_index=place("text"))
    for call in delta.tool_calls or ():
        called = call.function
        yield lm15.ToolCallDelta(
            input=called.arguments or "",
            part_index=place(f"call {call.index}"),
            id=call.id or None,
            name=called.name or None,
        )


def materialized(events: Sequence[Any], request: Any) -> Any:
    return materialize_response(iter(events), request)
