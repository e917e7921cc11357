"""Rows that `results examples` has written, as `dspy.Example`."""

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from dspy_profiles.errors import InvalidFile, Place
from dspy_profiles.results.export._examples import ROW_VERSION

if TYPE_CHECKING:
    import dspy

__all__ = ["load_examples"]


def load_examples(path: Path | str) -> "list[dspy.Example]":
    """The rows of a file that `results examples` has written, with their inputs set.

    >>> trainset = load_examples("train.jsonl")  # doctest: +SKIP
    """
    import dspy

    file, made = Path(path), []
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        why = error.strerror or str(error)
        raise InvalidFile(f"this file cannot be read: {why}", where=Place(file)) from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            labels, inputs = _fields(orjson.loads(line))
        except (TypeError, ValueError) as error:
            raise InvalidFile(
                f"this is no row of examples: {error}",
                "dspy-profiles results examples writes such rows",
                Place(file, number),
            ) from error
        made.append(dspy.Example({**labels, **inputs}).with_inputs(*inputs))
    return made


def _fields(row: Any) -> Iterator[dict[str, Any]]:
    """Labels and inputs of one row; a ValueError says what is wrong with it."""
    if not isinstance(row, dict) or row.get("v") != ROW_VERSION:
        raise ValueError(f"it is not of version {ROW_VERSION}")
    for name in ("labels", "inputs"):
        found = row.get(name)
        if not isinstance(found, dict) or not found:
            raise ValueError(f"it has no {name}")
        yield {key: _restored(value) for key, value in found.items()}


def _restored(value: Any) -> Any:
    """What was recorded in a form for what JSON cannot say, as it was."""
    if isinstance(value, list):
        return [_restored(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        match value:
            case {"$float": str(text)}:
                return float(text)
            case {"$int": str(text)}:
                return int(text, 0)
            case {"$bytes": str(text)}:
                return b64decode(text)
            case {"$table": dict(table)}:
                return {key: _restored(item) for key, item in table.items()}
            case {"$pairs": list(pairs)}:
                return {_restored(key): _restored(item) for key, item in pairs}
    return {key: _restored(item) for key, item in value.items()}
