"""Load rows that `results examples` wrote, as `dspy.Example`."""

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dspy_profiles._reading import MEGABYTE, read_regular
from dspy_profiles.errors import InvalidFile, Place
from dspy_profiles.results.export._examples import ROW_VERSION
from dspy_profiles.results.journal._read import parsed_json

if TYPE_CHECKING:
    import dspy

__all__ = ["load_examples"]

LARGEST = 1024 * MEGABYTE


def load_examples(path: Path | str) -> "list[dspy.Example]":
    """Load the rows that `results examples` wrote, with their inputs set.

    Raises InvalidFile if the file or a row cannot be read.

    >>> trainset = load_examples("train.jsonl")  # doctest: +SKIP
    """
    import dspy

    file, examples = Path(path), []
    try:
        lines = read_regular(file, LARGEST).split(b"\n")
    except OSError as error:
        why = error.strerror or str(error)
        raise InvalidFile(f"the file cannot be read: {why}", where=Place(file)) from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            labels, inputs = _fields(parsed_json(line))
        except (TypeError, ValueError) as error:
            raise InvalidFile(
                f"not a row of examples: {error}",
                "write the file with dspy-profiles results examples",
                Place(file, number),
            ) from error
        examples.append(dspy.Example({**labels, **inputs}).with_inputs(*inputs))
    return examples


def _fields(row: Any) -> Iterator[dict[str, Any]]:
    """Yield labels, then inputs of a row. Raises ValueError if the row is invalid."""
    if not isinstance(row, dict) or row.get("v") != ROW_VERSION:
        raise ValueError(f"the version is not {ROW_VERSION}")
    for name in ("labels", "inputs"):
        fields = row.get(name)
        if not isinstance(fields, dict) or not fields:
            raise ValueError(f"{name} is missing")
        yield {key: _restored(value) for key, value in fields.items()}


def _restored(value: Any) -> Any:
    """Return a value that was recorded in a special form, as it was."""
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
