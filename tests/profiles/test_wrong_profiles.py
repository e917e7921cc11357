"""What is wrong in a profile is told with file, line, profile and key."""

from typing import Any

import pytest

from dspy_profiles.errors import InvalidFile, InvalidProfile
from dspy_profiles.profiles import resolve

SHAPES = [
    ("extends = 3", "extends", "a profile's name or a list of names"),
    ("extends = [1]", "extends", "a profile's name or a list of names"),
    ("extends = {}", "extends", "a profile's name or a list of names"),
    ("description = 3", "description", "a string"),
    ('lm = "gpt"', "lm", "a table"),
    ("rm = []", "rm", "a table"),
    ('adapter = "dspy.JSONAdapter"', "adapter", "a table"),
    ('provider = "mock"', "provider", "a table"),
    ("settings = true", "settings", "a table"),
    ("lms = 1", "lms", "a table of tables"),
    ('lms = { teacher = "gpt" }', "lms", "a table of tables"),
    ('embedder = "e"', "embedder", "a table"),
    ("env = { X = 1 }", "env", "a table of strings"),
    ("env = []", "env", "a table of strings"),
]


@pytest.mark.parametrize(("line", "section", "shape"), SHAPES)
def test_a_section_of_the_wrong_shape(write: Any, line: Any, section: Any, shape: Any) -> None:
    path = write("profiles.toml", f"[other]\n[prod]\n\n{line}\n")
    with pytest.raises(InvalidProfile) as error:
        resolve("prod")
    assert error.value.message == f'profile "prod": {section} must be {shape}'
    assert str(error.value.where) == f"{path}:4"
    assert resolve("other").name == "other"


@pytest.mark.parametrize("line", ["lmm = {}", "[prod.lmm]", "lmm.x = 1", "lmm = 3"])
def test_an_unknown_section_has_a_place_and_a_hint(write: Any, line: Any) -> None:
    path = write("profiles.toml", f"[prod]\ndescription = 'x'\n{line}\n")
    with pytest.raises(InvalidProfile, match='profile "prod": unknown section "lmm"') as error:
        resolve("prod")
    assert str(error.value.where) == f"{path}:3"
    assert error.value.hint is not None
    assert error.value.hint.startswith("did you mean")


def test_an_unknown_section_near_to_none_lists_the_sections(write: Any) -> None:
    write("profiles.toml", "[prod.qqq]\n")
    with pytest.raises(InvalidProfile) as error:
        resolve("prod")
    assert error.value.hint is not None
    assert "lm, rm, adapter, provider" in error.value.hint


@pytest.mark.parametrize("value", ["3", "'text'", "[]", "[{}]", "true", "1979-05-27"])
def test_a_profile_that_is_no_table(write: Any, value: Any) -> None:
    path = write("profiles.toml", f"\nprod = {value}\n")
    with pytest.raises(InvalidProfile, match='profile "prod" is not a table') as error:
        resolve("prod")
    assert str(error.value.where) == f"{path}:1"
    assert error.value.hint is not None
    assert "[prod.lm]" in error.value.hint


def test_the_hint_quotes_a_name_that_has_to_be_quoted(write: Any) -> None:
    write("profiles.toml", '"a b" = 3\n')
    with pytest.raises(InvalidProfile) as error:
        resolve("a b")
    assert error.value.hint is not None
    assert '["a b".lm]' in error.value.hint


def test_schema_is_for_editors_and_no_profile(write: Any) -> None:
    write("profiles.toml", '"$schema" = "./profiles.schema.json"\n[a]\n')
    assert resolve("a").values == {}


def test_a_file_that_is_no_toml_stops_every_profile_with_its_line(write: Any) -> None:
    path = write("profiles.toml", "[good]\n[bad\n")
    with pytest.raises(InvalidFile) as error:
        resolve("good")
    assert str(error.value.where) == f"{path}:2"


@pytest.mark.parametrize("name", ['""', '"A=B"', '"A\\u0000B"'])
def test_an_environment_variable_that_cannot_be_is_told(write: Any, name: Any) -> None:
    path = write("profiles.toml", f"[prod.env]\nOK = 'x'\n{name} = 'x'\n")
    with pytest.raises(InvalidProfile, match='"prod": env has an invalid variable') as error:
        resolve("prod")
    assert str(error.value.where) == f"{path}:1"


def test_an_environment_variable_cannot_hold_a_nul(write: Any) -> None:
    write("profiles.toml", '[prod.env]\nX = "a\\u0000b"\n')
    with pytest.raises(InvalidProfile, match="'X'"):
        resolve("prod")


@pytest.mark.parametrize("env", [{1: "x"}, {"": "x"}, {"A=B": "x"}, {"A": "\0"}])
def test_an_override_of_env_is_held_to_the_same(project: Any, env: Any) -> None:
    with pytest.raises(InvalidProfile, match="has an invalid variable"):
        resolve("mock", env=env)


def test_tables_nested_without_end_are_told(write: Any) -> None:
    write("profiles.toml", "[prod.lm" + ".x" * 200 + "]\n[other]\n")
    with pytest.raises(InvalidProfile, match="nested too deeply"):
        resolve("prod")
    assert resolve("other").name == "other"


def test_lists_nested_without_end_are_told(write: Any) -> None:
    path = write("profiles.toml", "[prod.lm]\nx = " + "[" * 200 + "]" * 200 + "\n")
    with pytest.raises(InvalidProfile, match=r'"prod": lm\.x is nested too deeply') as error:
        resolve("prod")
    assert str(error.value.where) == f"{path}:2"


def test_an_override_that_is_a_section_of_the_wrong_shape(project: Any) -> None:
    with pytest.raises(InvalidProfile, match='profile "mock": lm must be a table'):
        resolve("mock", lm="gpt")  # type: ignore[arg-type]


def test_an_override_that_misspells_a_section_gets_the_nearest(project: Any) -> None:
    with pytest.raises(InvalidProfile) as error:
        resolve("mock", setings={"num_threads": 1})
    assert error.value.hint == 'did you mean "settings"?'


def test_an_override_outside_of_a_section_is_shown_where_it_belongs(project: Any) -> None:
    with pytest.raises(InvalidProfile, match='"temperature" is not a section') as error:
        resolve("mock", temperature=0)  # type: ignore[arg-type]
    assert error.value.hint is not None
    assert "lm={'temperature': …}" in error.value.hint


def test_an_override_of_an_unknown_section_gets_those_that_there_are(project: Any) -> None:
    with pytest.raises(InvalidProfile, match='"retriever" is not a section') as error:
        resolve("mock", retriever={"k": 3})
    assert error.value.hint is not None
    assert error.value.hint.startswith("sections: description, lm, rm, adapter, ")
    assert error.value.hint is not None
    assert "extends" not in error.value.hint


def test_extends_cannot_be_overridden(project: Any) -> None:
    with pytest.raises(InvalidProfile, match="extends cannot be overridden"):
        resolve("mock", extends="x")  # type: ignore[arg-type]


def test_an_override_that_holds_itself_is_an_error(project: Any) -> None:
    circle: dict[str, Any] = {}
    circle["x"] = circle
    with pytest.raises(InvalidProfile, match="nested too deeply"):
        resolve("mock", lm=circle)
    rounds: list[Any] = []
    rounds.append(rounds)
    with pytest.raises(InvalidProfile, match="nested too deeply"):
        resolve("mock", lm={"x": rounds})


def test_an_override_may_have_keys_that_are_no_text(project: Any) -> None:
    found = resolve("mock", lm={"logit_bias": {50256: -100, 11: "x"}})
    assert found.lm == {"logit_bias": {50256: -100, 11: "x"}}
    with pytest.raises(KeyError):
        found.origin("lm.logit_bias.x")


def test_a_description_is_for_people_and_refers_to_nothing(write: Any) -> None:
    write("profiles.toml", '[a]\ndescription = "env:HOME and ${X} cost ${"\n')
    assert resolve("a").description == "env:HOME and ${X} cost ${"


def test_a_name_is_never_said_to_be_meant_for_itself(write: Any) -> None:
    write("profiles.toml", '[self2]\nextends = "self2"\n[self3]\n')
    with pytest.raises(InvalidProfile, match="in a layer below") as raised:
        resolve("self2")
    assert raised.value.hint == 'did you mean "self3"? Profiles: self2, self3, mock'
    write("profiles.toml", '[alone]\nextends = "alone"\n')
    with pytest.raises(InvalidProfile) as raised:
        resolve("alone")
    assert raised.value.hint == "Profiles: alone, mock"
