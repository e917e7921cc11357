"""Whatever a profile holds: as variables it comes back, and as words and as a program it reads."""

import ast
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from dspy_profiles.cli.profiles._as_env import assigned, raw_values, read_variables, variables
from dspy_profiles.cli.profiles._as_python import program
from dspy_profiles.config import join_key, split_key
from dspy_profiles.errors import InvalidFile, InvalidProfile, ProfileError
from dspy_profiles.profiles import (
    ResolvedProfile,
    Table,
    parse_assignment,
    parse_assignments,
    parse_value,
)
from dspy_profiles.secrets import Names

GENERATED = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["true", "True", "null", "0.7", "[1]", "${A}", "$A", "a'b", 'a"b', "\\", "\\'", " a ", "#", "é"]
)
# What is no secret by its name, and of no type that DSPy would tell.
KEYS = st.sampled_from(["x", "x_y", "X", "a.b", "x_", "_x", "é", "x__y", "", "7"])
VALUES = st.recursive(
    TEXTS | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
TABLES = st.dictionaries(KEYS, VALUES, max_size=4)
PROFILES = st.fixed_dictionaries(
    {},
    optional={
        "description": TEXTS,
        "lm": TABLES,
        "embedder": TABLES,
        "settings": TABLES,
        "lms": st.dictionaries(KEYS, TABLES, max_size=2),
        "env": st.dictionaries(st.sampled_from(["A", "b", "A_B_"]), TEXTS, max_size=3),
    },
)


def sections_of(found: Any) -> Any:
    made: dict[str, Any] = {}
    for (section, *rest), value in found.items():
        if rest:
            made.setdefault(section, {})[rest[0]] = value
        else:
            made[section] = value
    return made


@GENERATED
@given(PROFILES)
@example({"lm": {"x": "true", "y": "0.7", "z": "null", "u": "[1]", "v": '"1"', "w": "False"}})
def test_variables_come_back_as_what_they_were(tmp_path: Any, values: Any) -> None:
    file = tmp_path / ".env"
    try:
        lines = list(variables(values, "DSPY_"))
    except InvalidFile:
        assume(False)
    file.write_text("\n".join(lines), encoding="utf-8", newline="")
    found, left_out = read_variables(raw_values(file), "DSPY_", Names())
    assert left_out == []
    assert sections_of(found) == values


@GENERATED
@given(st.text(st.characters(exclude_categories=["Cs"])) | TEXTS)
@example("a\r\nb")
@example("\\\n'")
def test_an_assignment_in_a_file_gives_its_text_or_there_is_none(tmp_path: Any, text: Any) -> None:
    file = tmp_path / ".env"
    try:
        line = assigned("NAME", text)
    except InvalidFile:
        return
    file.write_text(f"A=1\n{line}\nB=2\n", encoding="utf-8", newline="")
    assert raw_values(file) == {"A": "1", "NAME": text, "B": "2"}


@GENERATED
@given(st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=4))
def test_any_variables_are_read_or_refused(table: Any) -> None:
    given_names = {f"DSPY_{name}": value for name, value in table.items()}
    lm_names = {f"DSPY_LM_{name}".upper(): value for name, value in table.items()}
    for names in (given_names, lm_names):
        with suppress(ProfileError):
            found, left_out = read_variables(names, "DSPY_", Names())
            assert len(found) + len(left_out) <= len(names)


@GENERATED
@given(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=3), VALUES)
def test_a_word_sets_the_key_and_the_value_that_it_spells(path: Any, value: Any) -> None:
    path = tuple(path)
    assume(path[0] not in {"description", "env"} and not any("=" in part for part in path))
    word = f"{join_key(path)}={json.dumps(value)}"
    try:
        assert split_key(join_key(path)) == path
    except InvalidProfile:
        assert not all(part.isprintable() for part in path)
        return
    assert parse_assignment(word) == (path, value)


@GENERATED
@given(st.lists(st.text() | st.from_regex(r"[a-c](\.[a-c]){0,2}=.{0,5}", fullmatch=True)))
@example(["a.b=1", "a=2"])
@example(["a=1", "a.b=2"])
@example(["a=" + "[" * 3000])
@example(["a=" + "9" * 5000])
def test_any_words_are_tables_or_refused(words: Any) -> None:
    with suppress(InvalidProfile):
        assert bool(parse_assignments(words)) == bool(words)


@GENERATED
@given(st.text())
def test_a_text_is_typed_as_json_or_as_it_stands(text: Any) -> None:
    try:
        value = parse_value(text)
    except InvalidProfile:
        assert text.strip() == "null"
    else:
        assert value == text or json.dumps(json.loads(text)) == json.dumps(value)


@GENERATED
@given(TEXTS, st.dictionaries(st.text(max_size=8) | KEYS | st.just("class"), VALUES, max_size=4))
@example("a\0b\nc\x0cd\u2028e\x85f", {"ª": 1, "e\u0301": 2, "class": 3})
def test_a_program_passes_the_arguments_of_the_profile(name: Any, table: Any) -> None:
    plain = {"model": "a/b", **table}
    found = ResolvedProfile(name, Table.of({"description": name, "lm": plain}), "a test")
    tree = ast.parse(program(found))
    (call,) = (
        statement.value
        for statement in tree.body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "lm"
    )
    assert isinstance(call, ast.Call)
    written: dict[str, Any] = {}
    for word in call.keywords:
        value = ast.literal_eval(word.value)
        written |= value if word.arg is None else {word.arg: value}
    assert json.dumps(written, sort_keys=True) == json.dumps(plain, sort_keys=True)


@pytest.mark.parametrize("missing", ["x", "lm"])
def test_a_word_that_sets_nothing_repeats_no_more_than_a_key(missing: Any) -> None:
    with pytest.raises(InvalidProfile) as raised:
        parse_assignment(missing)
    assert (missing in str(raised.value)) == (missing == "lm")
