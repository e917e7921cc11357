"""The file is for people: to review, to diff, to commit."""

import json
from array import array
from enum import IntEnum
from typing import Any

import dspy
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dspy_profiles.activation import _stages as stages
from dspy_profiles.calls.cassettes import Cassette, describe, prune, stages_for
from dspy_profiles.calls.cassettes._file import Header, Recording, lines
from dspy_profiles.calls.cassettes._json import dumped, fold, original, plain, unfold
from dspy_profiles.calls.cassettes._read import read


def test_the_first_line_says_what_it_is_and_nothing_says_when(
    path: Any, playing: Any, lm_of: Any, ask: Any
) -> None:
    with playing("once", lm_of("Paris"), profile="a1b2"):
        ask()
    first, *rest = path.read_text().splitlines()
    assert json.loads(first) == {"cassette": 2, "dspy": dspy.__version__, "profile": "a1b2"}
    assert len(rest) == 2


def test_a_line_is_a_line_whatever_is_in_the_text(
    path: Any, playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    odd = "a\u2028b\u2029c\u0085d\x0be\x0cf\r\ng\x1ch é 漢 🎈"
    with playing("once", lm_of(odd)):
        said = ask(odd)
    text = path.read_bytes().decode()
    assert len(text.splitlines()) == text.count("\n") == 3
    assert "é 漢 🎈" in text
    with playing("none", silent):
        assert ask(odd) == said


def test_keys_are_sorted(path: Any, playing: Any, lm_of: Any, ask: Any) -> None:
    with playing("once", lm_of("Paris")):
        ask(temperature=0.5, max_tokens=9)
    for line in path.read_text().splitlines():
        assert json.dumps(json.loads(line), sort_keys=True) == json.dumps(json.loads(line))


def test_a_long_text_that_repeats_is_there_once(
    path: Any, playing: Any, lm_of: Any, ask: Any
) -> None:
    with playing("once", lm_of("a", "b", "c")):
        ask("1"), ask("2"), ask("3")
    assert path.read_text().count("Your input fields are") == 1


def test_a_change_in_a_long_prompt_shows_in_one_piece_of_it(
    path: Any, playing: Any, lm_of: Any, ask: Any
) -> None:
    paragraphs = [f"paragraph {n} " + "with many words " * 30 for n in range(20)]
    with playing("once", lm_of("a")):
        ask("\n\n".join(paragraphs))
    before = path.read_text().splitlines()
    paragraphs[7] = "another " + "with other words " * 30
    with playing("all", lm_of("a")):
        ask("\n\n".join(paragraphs))
    after = path.read_text().splitlines()
    assert len(set(after) - set(before)) == 2  # the piece, and the request that refers to it


def test_the_order_of_requests_does_not_depend_on_who_was_first(
    path: Any, lm_of: Any, ask: Any
) -> None:
    files = []
    for order in ("abc", "cab"):
        cassette = Cassette(path, "all")
        stages.set_process_stages(stages_for(cassette))
        with dspy.context(lm=lm_of(*[letter.upper() for letter in order])):
            for letter in order:
                ask(letter)
        stages.set_process_stages(())
        cassette.save()
        files.append(path.read_bytes())
    assert files[0] == files[1]


def test_a_new_file_can_be_read_by_others_and_an_old_one_keeps_its_mode(
    path: Any, playing: Any, lm_of: Any, ask: Any
) -> None:
    with playing("once", lm_of("a")):
        ask()
    assert path.stat().st_mode & 0o077
    path.chmod(0o640)
    with playing("all", lm_of("b")):
        ask()
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link(path: Any, project: Any, playing: Any, lm_of: Any, ask: Any) -> None:
    path.parent.mkdir()
    (project / "elsewhere").mkdir()
    path.symlink_to(project / "elsewhere" / "x.jsonl")
    with playing("once", lm_of("a")):
        ask()
    assert path.is_symlink()
    assert (project / "elsewhere" / "x.jsonl").exists()
    assert [each.name for each in path.parent.iterdir()] == ["x.jsonl"]


def test_one_can_be_described(path: Any, playing: Any, lm_of: Any, ask: Any) -> None:
    with playing("once", lm_of("a", "b", "c"), profile="a1b2"):
        ask("1"), ask("1"), ask("2")
    found = describe(path)
    assert (found.requests, found.responses, found.models) == (2, 3, ("own/model",))
    assert (found.version, found.profile, found.size) == (2, "a1b2", path.stat().st_size)


def test_what_is_not_used_can_be_taken_out(
    path: Any, playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    with playing("once", lm_of("a", "b")):
        ask("1"), ask("2")
    with playing("none", silent) as cassette:
        ask("1")
    assert prune(path, {entry.key for entry in cassette.unused}) == 1
    with playing("none", silent) as cassette:
        assert ask("1") == "a"
    assert cassette.unused == []
    assert prune(path, {entry.key for entry in cassette.used}) == 1
    assert not path.exists()


DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from(["$int", "$text", "x\n\n" * 200]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("$int"), inner),
)


@given(DATA)
@settings(deadline=None)
def test_any_data_is_the_same_after_it_was_kept(data: Any) -> None:
    parts: dict[str, str] = {}
    folded = json.loads(dumped(fold(plain(data, str), parts, 20)))
    assert original(unfold(folded, parts)) == data


@given(st.lists(st.text(), min_size=1))
@settings(deadline=None)
def test_any_text_can_be_cut_and_put_together(paragraphs: Any) -> None:
    text = "\n\n".join(each * 50 for each in paragraphs)
    parts: dict[str, str] = {}
    assert unfold(fold(text, parts, 100), parts) == text


def test_numbers_that_json_does_not_know_are_kept() -> None:
    odd = [float("inf"), -float("inf"), 2**80, -(2**64), 0.1, 1e300]
    assert original(json.loads(dumped(plain(odd, str)))) == odd
    assert str(original(plain(float("nan"), str))) == "nan"


class Wanted(pydantic.BaseModel):
    answer: str


class Size(IntEnum):
    LARGE = 3


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ((1, "a"), [1, "a"]),
        ({30, 4, 5}, [30, 4, 5]),  # in the order of their texts, whichever that of the set is
        (Size.LARGE, 3),
        (10**30, {"$int": "1" + "0" * 30}),
        (b"\x00\x01", "AAE="),
        (bytearray(b"a"), "YQ=="),
        (array("d", [1.5, 2.5]), [1.5, 2.5]),  # as numpy's
        (Wanted(answer="a"), {"answer": "a"}),
        (Wanted, Wanted.model_json_schema()),
        (json.JSONDecoder, {"$object": "json.decoder:JSONDecoder"}),
        (json.JSONDecoder(), {"$object": "json.decoder:JSONDecoder"}),
        ({"$object": "a"}, {"$dict": {"$object": "a"}}),
    ],
)
def test_what_is_no_json_is_kept_as_what_it_says(value: Any, kept: Any) -> None:
    assert plain(value, str) == kept


def test_of_an_object_its_name_is_left() -> None:
    assert original(plain([object()], str)) == ["builtins:object"]


def test_texts_inside_of_objects_are_cleaned() -> None:
    def clean(text: Any) -> Any:
        return text.replace("secret", "***")

    said = plain([Wanted(answer="a secret"), {"secret": {"a secret"}}], clean)
    assert said == [{"answer": "a ***"}, {"***": ["a ***"]}]


def test_text_that_is_no_unicode_is_made_some() -> None:
    assert dumped(plain("a\ud800b", str)) == b'"a?b"'


@pytest.mark.parametrize("size", [1, 399, 400, 5000])
def test_what_is_written_can_be_read(size: Any, path: Any) -> None:
    path.parent.mkdir()
    request = {"model": "m", "messages": [{"role": "user", "content": "x \n\n" * size}]}
    recording = Recording("lm", request, [{"response": {"a": 1}}, {"response": {"a": 2}}])
    path.write_bytes(b"".join(lines(Header(1, "3", ""), [recording])))
    (entry,) = read(path).entries
    assert entry.request == request
    assert entry.responses == list(recording.responses)
