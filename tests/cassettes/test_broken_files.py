"""A file that is no cassette is refused, with the line, and never changed."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dspy_profiles.calls import Refused
from dspy_profiles.calls.cassettes import Cassette, describe, scan
from dspy_profiles.errors import InvalidFile, Place

HEADER = b'{"cassette":1,"dspy":"3.4.1"}\n'
GOOD = b'{"kind":"lm","request":{"model":"m"},"responses":[{"response":{}}]}\n'
PART = b'{"part":"ab","text":"hello"}\n'
USES = b'{"kind":"lm","request":{"model":{"$text":["ab"]}},"responses":[{"response":{}}]}\n'
DEEP = b'{"kind":"lm","request":{"a":' + b'{"$int":[' * 400 + b"]}" * 400

BROKEN = {
    "empty": (b"", 1, "is empty"),
    "binary": (bytes(range(256)) * 9, 1, "not a cassette: the first line is not a header"),
    "text": (b"hello\n", 1, "not a cassette: the first line is not a header"),
    "no header": (GOOD, 1, "not a cassette: the first line is not a header"),
    "header is no table": (b"[1]\n", 1, "line is not a JSON object"),
    "version is no number": (
        b'{"cassette":"1"}\n',
        1,
        "not a cassette: the first line is not a header",
    ),
    "newer": (b'{"cassette":3}\n', 1, "has format 3; this dspy-profiles reads format 1 and 2"),
    "torn": (HEADER + GOOD + GOOD[:30], 3, "is truncated"),
    "not JSON": (HEADER + b'{"kind":lm}\n' + GOOD, 2, "is not valid JSON"),
    "not UTF-8": (HEADER + b'{"kind":"\xff"}\n', 2, "is not valid JSON"),
    "conflict": (HEADER + b"<<<<<<< HEAD\n" + GOOD, 2, "part of a git conflict"),
    "list": (HEADER + GOOD + b"[]\n", 3, "is not a JSON object"),
    "no kind": (
        HEADER + b'{"request":{},"responses":[{"error":{}}]}\n',
        2,
        '"kind" must be one of',
    ),
    "odd kind": (HEADER + GOOD.replace(b'"lm"', b"{}"), 2, '"kind" must be one of'),
    "no request": (
        HEADER + b'{"kind":"lm","responses":[]}\n',
        2,
        '"request" must be a JSON object',
    ),
    "no responses": (HEADER + b'{"kind":"lm","request":{}}\n', 2, '"responses" must be a list'),
    "no answer": (HEADER + GOOD.replace(b'{"response":{}}', b""), 2, '"responses" must be a list'),
    "odd answer": (
        HEADER + GOOD.replace(b'"response":', b'"x":'),
        2,
        "each response must have one of",
    ),
    "lost part": (HEADER + GOOD + USES, 3, 'refers to the part "ab", which is not in the file'),
    "odd part": (HEADER + b'{"part":"ab","text":3}\n', 2, '"part" and "text" must be strings'),
    "two parts": (HEADER + PART + PART.replace(b"hello", b"bye"), 3, "with different texts"),
    "odd text": (HEADER + USES.replace(b'["ab"]', b"3"), 2, "does not have the form"),
    "odd message": (
        HEADER + GOOD.replace(b'"model":"m"', b'"messages":3'),
        2,
        "does not have the form",
    ),
}


@pytest.mark.parametrize("mode", ["none", "once", "new"])
@pytest.mark.parametrize("name", BROKEN)
def test_it_is_refused_with_its_line(name: Any, mode: Any, path: Any) -> None:
    held, line, said = BROKEN[name]
    path.parent.mkdir()
    path.write_bytes(held)
    with pytest.raises(InvalidFile) as raised:
        Cassette(path, mode)
    error = raised.value
    assert isinstance(error.where, Place)
    assert (error.where.file, error.where.line) == (path.resolve(), line)
    assert said in error.message
    assert error.hint
    assert path.read_bytes() == held


def test_lines_may_be_put_in_any_order_and_apart_by_hand(path: Any) -> None:
    path.parent.mkdir()
    path.write_bytes((HEADER + USES + b"\n" + PART + GOOD).replace(b"\n", b"\r\n"))
    assert describe(path).models == ("hello", "m")


def test_a_last_line_without_its_end_is_read_if_it_is_whole(path: Any) -> None:
    path.parent.mkdir()
    path.write_bytes(HEADER + GOOD.rstrip())
    assert describe(path).requests == 1


def test_a_folder_is_no_cassette(path: Any) -> None:
    path.mkdir(parents=True)
    with pytest.raises(InvalidFile, match="cannot be read"):
        Cassette(path, "none")


@pytest.mark.parametrize("broken", ['{"response":{}}', '{"result":[]}', '{"events":[3]}'])
def test_an_answer_that_is_none_is_named_by_its_line_when_it_is_asked_for(
    broken: Any, path: Any, playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    with playing("once", lm_of("Paris")):
        ask()
    *rest, last = path.read_text().splitlines()
    last = last.partition('"responses":')[0] + f'"responses":[{broken}]}}'
    path.write_text("\n".join([*rest, last, ""]))
    with playing("none", silent), pytest.raises(Refused) as held:
        ask()
    assert isinstance(held.value.error, InvalidFile)
    assert isinstance(held.value.error.where, Place)
    assert held.value.error.where.line == 3


def test_one_that_is_broken_meanwhile_is_not_written_over(
    path: Any, playing: Any, lm_of: Any, ask: Any
) -> None:
    with playing("once", lm_of("Paris")) as cassette:
        ask()
        path.parent.mkdir()
        path.write_bytes(b"somebody else's")
        with pytest.raises(InvalidFile):
            cassette.save()
    assert path.read_bytes() == b"somebody else's"
    assert [each.name for each in path.parent.iterdir()] == ["x.jsonl"]


LINES = [HEADER, GOOD, PART, USES, DEEP, b"{}\n", b"\n", b"[" * 2000]


@given(
    st.binary()
    | st.lists(st.sampled_from(LINES) | st.binary()).map(b"".join)
    | st.lists(st.sampled_from(LINES) | st.binary()).map(lambda more: HEADER + b"".join(more))
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_make_it_fail_in_another_way(path: Any, held: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(held)
    for read in (describe, scan, Cassette):
        with suppress(InvalidFile):
            read(path)
