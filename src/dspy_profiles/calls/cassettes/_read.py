"""Reads a cassette: every line is looked at, and none but what is asked for is kept parsed."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from dspy_profiles.calls.cassettes._entries import Entry, Header, Tape, order_of
from dspy_profiles.calls.cassettes._format import VERSION
from dspy_profiles.calls.cassettes._json import unfold
from dspy_profiles.calls.cassettes._requests import MATCH, key_of, model_of
from dspy_profiles.calls.cassettes._responses import FORMS
from dspy_profiles.errors import InvalidFile, Place

__all__ = ["numbered", "read"]

KINDS = ("lm", "embedder", "retriever")
ANEW = "if this was a cassette, delete it and record it again; else name another file"
NONE = "this is no cassette: it does not begin with a header"
AGAIN = "take out that line, or delete the file and record it again"
CONFLICT = (b"<<<<<<<", b"=======", b">>>>>>>", b"|||||||")


def read(path: Path, match: tuple[str, ...] = MATCH) -> Tape:
    """The cassette at this path; `InvalidFile`, with the line, if it is none."""
    tape = Tape(Header(VERSION))
    waiting: list[tuple[Place, bytes, dict[str, Any]]] = []
    for number, line in numbered(path):
        where = Place(path, number)
        if number > 1 and line.isspace():  # not strip, which would copy what may be large
            continue
        data = _table(where, line)
        if number == 1:
            tape.header = _header(where, data)
        elif "part" in data:
            _add_part(where, data, tape)
        else:
            try:
                _add_entry(where, line, data, tape, match)
            except _Unknown:  # its parts come later in a file that was merged by hand
                waiting.append((where, line, data))
    for where, line, data in waiting:
        try:
            _add_entry(where, line, data, tape, match)
        except _Unknown as unknown:
            message = f'the text "{unknown}" that this line refers to is not in the file'
            raise InvalidFile(message, AGAIN, where) from None
    return tape


def numbered(path: Path) -> Iterator[tuple[int, bytes]]:
    """The file's lines with their numbers; an empty file is an error, as one that is not there."""
    number = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                yield number, line
    except OSError as error:
        message = f"this cassette cannot be read: {error.strerror or error}"
        raise InvalidFile(message, "look at the file and its rights", Place(path)) from error
    if number == 0:
        raise InvalidFile("this cassette is empty", ANEW, Place(path, 1))


def _table(where: Place, line: bytes) -> dict[str, Any]:
    try:
        data = orjson.loads(line)
    except ValueError as error:
        raise _broken(where, line, error) from None
    if not isinstance(data, dict):
        raise InvalidFile("a line of a cassette is a table; this is none", AGAIN, where)
    return data


def _broken(where: Place, line: bytes, error: ValueError) -> InvalidFile:
    if where.line == 1:
        return InvalidFile(NONE, ANEW, where)
    if line.startswith(CONFLICT):
        hint = "settle it: whole lines of both sides may stay, in any order"
        return InvalidFile("git has left a conflict here", hint, where)
    if not line.endswith(b"\n"):
        message = "this cassette is cut short: its last line has no end"
        return InvalidFile(message, "take out that line, or record again", where)
    why = str(error).partition(": line ")[0]
    return InvalidFile(f"this line is not JSON: {why}", AGAIN, where)


def _header(where: Place, data: Mapping[str, Any]) -> Header:
    version = data.get("cassette")
    if not isinstance(version, int) or isinstance(version, bool):
        raise InvalidFile(NONE, ANEW, where)
    if version != VERSION:
        message = f"this cassette has format {version}; this version reads format {VERSION}"
        raise InvalidFile(message, "upgrade dspy-profiles, or record it again", where)
    return Header(version, str(data.get("dspy", "")), str(data.get("profile", "")))


def _add_part(where: Place, data: Mapping[str, Any], tape: Tape) -> None:
    name, text = data["part"], data.get("text")
    if not isinstance(name, str) or not isinstance(text, str):
        raise InvalidFile('"part" and "text" are texts', AGAIN, where)
    if tape.parts.setdefault(name, text) != text:
        message = f'the text "{name}" is in this file twice, and is not the same'
        raise InvalidFile(message, AGAIN, where)


class _Unknown(Exception):
    """A part that has not been read yet."""


def _add_entry(
    where: Place, line: bytes, data: Mapping[str, Any], tape: Tape, match: tuple[str, ...]
) -> None:
    if (wrong := _wrong(data)) is not None:
        raise InvalidFile(wrong, AGAIN, where)
    kind = data["kind"]
    try:
        request, marked = data["request"], b'"$' in line
        if marked:
            request = unfold(request, tape.parts)
            marked = b'"$' in orjson.dumps(data["responses"])
            unfold(data["responses"], tape.parts)
        key = key_of(kind, request, match)
        order = order_of(kind, request, key)
    except KeyError as error:
        raise _Unknown(error.args[0]) from None
    except (TypeError, AttributeError, ValueError, RecursionError):
        message = "this request is not of the form that was recorded"
        raise InvalidFile(message, AGAIN, where) from None
    model = model_of(kind, request)
    count = len(data["responses"])
    tape.add(Entry(kind, model, key, order, count, where.line or 0, line, tape.parts, marked))


def _wrong(data: Mapping[str, Any]) -> str | None:
    if data.get("kind") not in KINDS:
        return f'"kind" is one of {", ".join(KINDS)}'
    if not isinstance(data.get("request"), dict):
        return '"request" is missing, or is no table'
    responses = data.get("responses")
    if not isinstance(responses, list) or not responses:
        return '"responses" is missing, or is no list of answers'
    if not all(
        isinstance(each, dict) and any(form in each for form in FORMS) for each in responses
    ):
        return f"each response has one of {', '.join(FORMS)}"
    return None
