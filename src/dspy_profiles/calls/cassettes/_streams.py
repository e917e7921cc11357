"""Texts that come in pieces, where a secret may be cut in two."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dspy_profiles.calls.cassettes._json import Clean

__all__ = ["mend", "mend_logprobs", "pack", "unpack"]

PIECES = ("text", "input")  # what a delta brings a piece of


def mend(events: Sequence[dict[str, Any]], clean: Clean) -> list[dict[str, Any]]:
    """The events as they are; where their texts together are not clean, in fewer pieces."""
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
    """Take them out where their tokens together are not clean."""
    text = "".join(str(token.get("token", "")) for token in response.get("logprobs") or ())
    if clean(text) != text:
        _without_logprobs(response)


def _without_logprobs(data: dict[str, Any]) -> None:
    data.pop("logprobs", None)
    data.pop("logprobs_complete", None)


def pack(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Consecutive pieces of one text as one table with `pieces`, so that a stream is one line."""
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
    """The events that were packed."""
    for event in events:
        if "pieces" not in event:
            yield event
            continue
        for text in event["pieces"]:
            delta = {"type": event["type"], "part_index": event["part_index"], "text": text}
            yield {"type": "delta", "delta": delta}
