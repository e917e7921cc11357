"""Streams as data and back, where a secret may be split between two pieces of a text.

Events are DSPy's. Chunks are LiteLLM's own objects, which its engine sends past DSPy to the reader
of a stream. Both are recorded without what differs each time.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dspy_profiles import _dspy
from dspy_profiles.calls.cassettes._json import Clean

__all__ = [
    "UnknownChunk",
    "chunks_from",
    "mend",
    "mend_logprobs",
    "one_chunk",
    "pack",
    "pack_chunks",
    "unpack",
]

Chunk = dict[str, Any]

PIECES = ("text", "input")  # fields of a delta that hold a piece of a text
PASSING = frozenset({"id", "created", "system_fingerprint", "predict_id"})


class UnknownChunk(Exception):
    """A chunk of a class that cannot be created again; the message names the class."""


def mend(events: Sequence[dict[str, Any]], clean: Clean) -> list[dict[str, Any]]:
    """Return the events; if a text of several is not clean as a whole, its first has all of it."""
    runs: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for event in events:
        delta = event.get("delta") or {}
        for piece in PIECES:
            if isinstance(delta.get(piece), str):
                runs.setdefault((delta["type"], delta.get("part_index"), piece), []).append(delta)
    gone: set[int] = set()
    for (_, _, piece), deltas in runs.items():
        text = "".join(delta[piece] for delta in deltas)
        if (cleaned := clean(text)) != text:
            deltas[0][piece] = cleaned
            for delta in deltas:
                _without_logprobs(delta)
            gone.update(id(delta) for delta in deltas[1:])
    return [event for event in events if id(event.get("delta")) not in gone]


def mend_logprobs(response: dict[str, Any], clean: Clean) -> None:
    """Remove the log probabilities if their tokens together are not clean."""
    text = "".join(str(token.get("token", "")) for token in response.get("logprobs") or ())
    if clean(text) != text:
        _without_logprobs(response)


def _without_logprobs(data: dict[str, Any]) -> None:
    data.pop("logprobs", None)
    data.pop("logprobs_complete", None)


def pack(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return consecutive pieces of one text as one table with `pieces`, to keep streams short."""
    packed: list[dict[str, Any]] = []
    for event in events:
        delta = event.get("delta") or {}
        if delta.keys() != {"type", "part_index", "text"}:
            packed.append(dict(event))
            continue
        head = {"type": delta["type"], "part_index": delta["part_index"]}
        last = packed[-1] if packed else {}
        if "pieces" not in last or {**last, **head} != last:
            packed.append({**head, "pieces": []})
        packed[-1]["pieces"].append(delta["text"])
    return packed


def unpack(events: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the events that were packed."""
    for event in events:
        if "pieces" not in event:
            yield event
            continue
        for text in event["pieces"]:
            delta = {"type": event["type"], "part_index": event["part_index"], "text": text}
            yield {"type": "delta", "delta": delta}


def pack_chunks(chunks: Sequence[Any], clean: Clean) -> list[Chunk]:
    """Return the chunks as data; those that differ only in a piece of text as one with `pieces`.

    Raises `UnknownChunk` for a class that cannot be created again.
    """
    plain = [_chunk(chunk) for chunk in chunks]
    _mend_chunks(plain, clean)
    packed: list[Chunk] = []
    for chunk in plain:
        text = _delta(chunk).get("content")
        if not isinstance(text, str):
            packed.append({"chunk": chunk})
            continue
        _delta(chunk)["content"] = ""
        if not packed or "pieces" not in packed[-1] or packed[-1]["chunk"] != chunk:
            packed.append({"chunk": chunk, "pieces": []})
        packed[-1]["pieces"].append(text)
    return packed


def chunks_from(packed: Sequence[Chunk]) -> Iterator[Any]:
    """Yield the chunks that were packed, for the program that reads them now."""
    for each in packed:
        for text in each.get("pieces", [None]):
            if text is not None:
                _delta(each["chunk"])["content"] = text
            yield _dspy.chunk_from(each["chunk"])


def one_chunk(result: Any) -> list[Any]:
    """Return a result that was recorded without a stream as one chunk."""
    body = _dspy.body_of(getattr(result, "raw", result))
    raw = body if isinstance(body, dict) else {}
    choices = []
    for choice in raw.get("choices", ())[:1]:
        delta = dict(choice["message"])
        if calls := delta.get("tool_calls"):
            delta["tool_calls"] = [{**call, "index": place} for place, call in enumerate(calls)]
        choices.append({"index": 0, "delta": delta, "finish_reason": choice.get("finish_reason")})
    return [
        _dspy.chunk_from(
            {"model": getattr(result, "response_model", raw.get("model")), "choices": choices}
        )
    ]


def _chunk(chunk: Any) -> Chunk:
    if not _dspy.is_chunk(chunk):
        raise UnknownChunk(f"{type(chunk).__module__}.{type(chunk).__qualname__}")
    data = _dspy.chunk_dict(chunk)
    return {key: value for key, value in data.items() if key not in PASSING}


def _delta(chunk: Chunk) -> dict[str, Any]:
    """Return what the chunk adds to its only answer; an empty table if it has several."""
    choices: list[Any] = chunk.get("choices") or []
    delta = choices[0].get("delta") if len(choices) == 1 else None
    return delta if isinstance(delta, dict) else {}


def _mend_chunks(chunks: Sequence[Chunk], clean: Clean) -> None:
    """Move a text that is not clean as a whole, cleaned, to the first chunk that has some of it."""
    runs: dict[tuple[Any, ...], list[tuple[Any, Any]]] = {}
    for chunk in chunks:
        for path, table, key in _texts(chunk.get("choices"), ()):
            runs.setdefault(path, []).append((table, key))
    for places in runs.values():
        text = "".join(table[key] for table, key in places)
        if (cleaned := clean(text)) != text:
            for table, key in places:
                table[key] = ""
            table, key = places[0]
            table[key] = cleaned
            for chunk in chunks:
                for choice in chunk.get("choices") or ():
                    choice["logprobs"] = None


def _texts(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
    """Yield each text with its table; items of a list by their own `index`, if they have one."""
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        return
    for key, item in items:
        place = item.get("index", key) if isinstance(item, dict) else key
        if isinstance(item, str):
            yield (*path, key), value, key
        else:
            yield from _texts(item, (*path, place))
