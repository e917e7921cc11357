"""Read a cassette: every line is checked, and only those that are needed stay parsed."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from dspy_profiles._reading import MEGABYTE, is_too_deep, open_regular
from dspy_profiles.calls.cassettes._file import VERSION, Contents, Entry, Header, order_of
from dspy_profiles.calls.cassettes._json import unfold
from dspy_profiles.calls.cassettes._requests import MATCH, key_of, model_of
from dspy_profiles.calls.cassettes._responses import FORMS
from dspy_profiles.errors import InvalidFile, Place

__all__ = ["numbered", "read"]

READABLE = (1, VERSION)  # 1: an LM's request in the form in which its engine gets it
LARGEST = 512 * MEGABYTE
KINDS = ("lm", "embedder", "retriever")
NOT_A_CASSETTE = "not a cassette: the first line is not a header"
REPLACE_FILE = "if it is a cassette, delete it and record it again; otherwise name another file"
REPLACE_LINE = "remove this line, or delete the file and record it again"
CONFLICT = (b"<<<<<<<", b"=======", b">>>>>>>", b"|||||||")


def read(path: Path, match: tuple[str, ...] = MATCH) -> Contents:
    """Return the contents of a cassette. Raises `InvalidFile` with the line if it is not one."""
    contents = Contents(Header(VERSION))
    waiting: list[tuple[Place, bytes, dict[str, Any]]] = []
    for number, line in numbered(path):
        where = Place(path, number)
        if number > 1 and line.isspace():  # not strip, which would copy what may be large
            continue
        data = _table(where, line)
        if number == 1:
            contents.header = _header(where, data)
        elif "part" in data:
            _add_part(where, data, contents)
        else:
            try:
                _add_entry(where, line, data, contents, match)
            except _MissingPart:  # in a file that was merged by hand, it may come later
                waiting.append((where, line, data))
    for where, line, data in waiting:
        try:
            _add_entry(where, line, data, contents, match)
        except _MissingPart as missing:
            message = f'this line refers to the part "{missing}", which is not in the file'
            raise InvalidFile(message, REPLACE_LINE, where) from None
    return contents


def numbered(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines with their numbers. Raises if the file is empty or cannot be read."""
    number = 0
    try:
        with open_regular(path, LARGEST) as file:
            for number, line in enumerate(file, 1):
                yield number, line
    except OSError as error:
        message = f"cassette cannot be read: {error.strerror or error}"
        raise InvalidFile(message, "check the path and its permissions", Place(path)) from error
    if number == 0:
        raise InvalidFile("cassette is empty", REPLACE_FILE, Place(path, 1))


def _table(where: Place, line: bytes) -> dict[str, Any]:
    try:
        data = orjson.loads(line)
    except ValueError as error:
        raise _invalid_json(where, line, error) from None
    if not isinstance(data, dict):
        raise InvalidFile("line is not a JSON object", REPLACE_LINE, where)
    if is_too_deep(data, line.count(b"[") + line.count(b"{")):
        raise InvalidFile("line is nested too deeply", REPLACE_LINE, where)
    return data


def _invalid_json(where: Place, line: bytes, error: ValueError) -> InvalidFile:
    if where.line == 1:
        return InvalidFile(NOT_A_CASSETTE, REPLACE_FILE, where)
    if line.startswith(CONFLICT):
        hint = "resolve it: keep whole lines of either side, in any order"
        return InvalidFile("line is part of a git conflict", hint, where)
    if not line.endswith(b"\n"):
        message = "cassette is truncated: the last line has no end"
        return InvalidFile(message, "remove this line, or record again", where)
    reason = str(error).partition(": line ")[0]
    return InvalidFile(f"line is not valid JSON: {reason}", REPLACE_LINE, where)


def _header(where: Place, data: Mapping[str, Any]) -> Header:
    version = data.get("cassette")
    if not isinstance(version, int) or isinstance(version, bool):
        raise InvalidFile(NOT_A_CASSETTE, REPLACE_FILE, where)
    if version not in READABLE:
        known = " and ".join(map(str, READABLE))
        message = f"cassette has format {version}; this dspy-profiles reads format {known}"
        raise InvalidFile(message, "upgrade dspy-profiles, or record it again", where)
    return Header(version, str(data.get("dspy", "")), str(data.get("profile", "")))


def _add_part(where: Place, data: Mapping[str, Any], contents: Contents) -> None:
    name, text = data["part"], data.get("text")
    if not isinstance(name, str) or not isinstance(text, str):
        raise InvalidFile('"part" and "text" must be strings', REPLACE_LINE, where)
    if contents.parts.setdefault(name, text) != text:
        message = f'part "{name}" is in this file twice, with different texts'
        raise InvalidFile(message, REPLACE_LINE, where)


class _Measured(Mapping[str, str]):
    """The texts of a line, as long as all of them are no longer than a file may be."""

    def __init__(self, parts: Mapping[str, str]) -> None:
        self._parts = parts
        self._left = LARGEST

    def __getitem__(self, name: str) -> str:
        text = self._parts[name]
        self._left -= len(text)
        if self._left < 0:
            raise ValueError("the texts of the line are too long")
        return text

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)


class _MissingPart(Exception):
    """A part that has not been read yet."""


def _add_entry(
    where: Place, line: bytes, data: Mapping[str, Any], contents: Contents, match: tuple[str, ...]
) -> None:
    if (problem := _problem(data)) is not None:
        raise InvalidFile(problem, REPLACE_LINE, where)
    kind = data["kind"]
    try:
        request, marked = data["request"], b'"$' in line
        if marked:
            parts = _Measured(contents.parts)
            request = unfold(request, parts)
            marked = b'"$' in orjson.dumps(data["responses"])
            unfold(data["responses"], parts)
        key = key_of(kind, request, match)
        order = order_of(kind, request, key)
    except KeyError as error:
        raise _MissingPart(error.args[0]) from None
    except (TypeError, AttributeError, ValueError, RecursionError):
        message = "request does not have the form of a recorded one"
        raise InvalidFile(message, REPLACE_LINE, where) from None
    model = model_of(kind, request)
    count = len(data["responses"])
    number = where.line or 0
    contents.add(Entry(kind, model, key, order, count, number, line, contents.parts, marked))


def _problem(data: Mapping[str, Any]) -> str | None:
    if data.get("kind") not in KINDS:
        return f'"kind" must be one of {", ".join(KINDS)}'
    if not isinstance(data.get("request"), dict):
        return '"request" must be a JSON object'
    responses = data.get("responses")
    if not isinstance(responses, list) or not responses:
        return '"responses" must be a list with at least one response'
    if not all(
        isinstance(each, dict) and any(form in each for form in FORMS) for each in responses
    ):
        return f"each response must have one of {', '.join(FORMS)}"
    return None
