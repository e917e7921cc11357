"""The chunks that LiteLLM's engine sends to who reads a stream, as they are kept and given again.

They are no events of DSPy's, but objects of LiteLLM's own. Kept without what differs each time.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from dspy_profiles.calls.cassettes import _serialize
from dspy_profiles.calls.cassettes._json import Clean

__all__ = ["Unkept", "pack_sent", "sent_at_once", "sent_from"]

Chunk = dict[str, Any]

PASSING = frozenset({"id", "created", "system_fingerprint", "predict_id"})


class Unkept(Exception):
    """A chunk of a kind that could not be made again; says which."""


def pack_sent(chunks: Sequence[Any], clean: Clean) -> list[Chunk]:
    """The chunks as data; those that differ in a piece of text alone are one, with its `pieces`.

    Raises `Unkept` where one could not be made again.
    """
    made = [_kept(chunk) for chunk in chunks]
    _mend(made, clean)
    packed: list[Chunk] = []
    for chunk in made:
        text = _delta(chunk).get("content")
        if not isinstance(text, str):
            packed.append({"chunk": chunk})
            continue
        _delta(chunk)["content"] = ""
        if not packed or "pieces" not in packed[-1] or packed[-1]["chunk"] != chunk:
            packed.append({"chunk": chunk, "pieces": []})
        packed[-1]["pieces"].append(text)
    return packed


def sent_from(packed: Sequence[Chunk]) -> Iterator[Any]:
    """The chunks again, for the program that reads them now."""
    for each in packed:
        for text in each.get("pieces", [None]):
            if text is not None:
                _delta(each["chunk"])["content"] = text
            yield _serialize.chunk_from(each["chunk"])


def sent_at_once(result: Any) -> list[Any]:
    """One chunk with the whole answer of a result that came without a stream."""
    raw = result.raw if isinstance(result.raw, dict) else {}
    choices = []
    for choice in raw.get("choices", ())[:1]:
        delta = dict(choice["message"])
        if calls := delta.get("tool_calls"):
            delta["tool_calls"] = [{**call, "index": place} for place, call in enumerate(calls)]
        choices.append({"index": 0, "delta": delta, "finish_reason": choice.get("finish_reason")})
    return [_serialize.chunk_from({"model": result.response_model, "choices": choices})]


def _kept(chunk: Any) -> Chunk:
    if not _serialize.is_chunk(chunk):
        raise Unkept(f"{type(chunk).__module__}.{type(chunk).__qualname__}")
    data = _serialize.chunk_dict(chunk)
    return {key: value for key, value in data.items() if key not in PASSING}


def _delta(chunk: Chunk) -> dict[str, Any]:
    """What the chunk adds to the only answer in it."""
    choices: list[Any] = chunk.get("choices") or []
    delta = choices[0].get("delta") if len(choices) == 1 else None
    return delta if isinstance(delta, dict) else {}


def _mend(chunks: Sequence[Chunk], clean: Clean) -> None:
    """Where texts together are not clean, all of the text is in the first chunk that has some."""
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
    """Each text with the table that it is in; a list's items go by their own index, if they say."""
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
