"""Whatever stands in a file or is handed over: a profile comes of it, or an error of ours."""

import copy
import json
import pickle
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from dspy_profiles import errors
from dspy_profiles.config import find_locations
from dspy_profiles.errors import Place, ProfileError
from dspy_profiles.profiles import ResolvedProfile, fetch, list_profiles, missing, resolve

# One world serves all examples of a test: each writes the same files anew.
QUICK = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
WORDS = [
    *("lm", "rm", "lms", "env", "extends", "settings", "provider", "embedder", "adapter"),
    *("description", "model", "api_key", "class_name", "class", "default", "mock", "a", "a.b"),
    *("$schema", "max_tokens", "token", "Authorization", "", "lmm", "tool", "ü", "two\nlines", "'"),
]
TEXTS = [
    *("${A}", "${A:-b}", "${", "$${", "${A:-${B}}", "env:A", "env:", "file:x", "file:", "file:\0"),
    *("keyring:a", "vault:x", "a:b", "Bearer ${A}", "Bearer sk-12345678", "none", "~x", "mock"),
    *("\0", "file:~nobody-here/x", "file:" + "x" * 300, "\u2028", "a\r\nb", "${A}" * 50),
]
KEYS = st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
STRINGS = st.sampled_from(TEXTS) | KEYS
SCALARS = st.one_of(
    STRINGS,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.dates(),
    st.times(),
    st.datetimes(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
SECTIONS = st.dictionaries(KEYS, VALUES, max_size=4)
PROFILES = st.fixed_dictionaries(
    {},
    optional={
        "extends": st.sampled_from(["a", "b", "mock", ["a", "b"], []]) | st.lists(KEYS, max_size=2),
        "description": STRINGS,
        "lms": st.dictionaries(KEYS, SECTIONS, max_size=2),
        "env": st.dictionaries(KEYS, STRINGS, max_size=2),
        **dict.fromkeys(("lm", "rm", "adapter", "provider", "settings", "embedder"), SECTIONS),
    },
)
ODD = st.dictionaries(KEYS, VALUES | SECTIONS, max_size=4) | VALUES
FILES = st.dictionaries(st.sampled_from(["a", "b", "default"]) | KEYS, PROFILES | PROFILES | ODD)
OBJECTS = st.sampled_from([object(), (1, "${A}"), {1: "x"}, None, b"bytes", {"x"}, print, "\ud800"])
OVERRIDES = st.dictionaries(
    st.sampled_from([word for word in WORDS if word.isidentifier()]),
    SECTIONS | VALUES | OBJECTS | st.dictionaries(KEYS, OBJECTS, max_size=2),
    max_size=3,
)
LINES = st.sampled_from(
    [
        *("[a]", "[a.lm]", "[[a]]", '["a.b".env]', "[default]", "[mock]", "[", "]", "[[a.lm]]"),
        *("lm = {}", "lm.model = 'm'", "model = 'x'", "extends = 'a'", "extends = ['mock', 'a']"),
        *("api_key = 'sk-1'", "api_key = '${A}'", "x = '''", '"""', "# c", "\\", "= 1", "a = 1"),
        *("x = [1,", "]", "x = {a = 1", "}", "\ufeff", "\0", "\r", "x = 1979-13-01", "x = 0x"),
    ]
)
LAYOUTS = st.lists(LINES | st.text(max_size=6), max_size=12).map("\n".join)


def toml(value: Any) -> Any:
    """A value as TOML writes it."""
    if isinstance(value, dict):
        inner = ", ".join(f"{toml(key)} = {toml(item)}" for key, item in value.items())
        return "{" + inner + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        shown = json.dumps(value, ensure_ascii=False)
        return shown.replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    return str(value) if isinstance(value, int) else repr(value)


def outcome(action: Any) -> Any:
    """What an action returns, or the error of ours that it raises."""
    try:
        return action()
    except ProfileError as error:
        return whole(error)


def whole(error: Any) -> Any:
    assert error.message
    assert "Traceback" not in str(error)
    travelled = pickle.loads(pickle.dumps(error))
    assert type(travelled) is type(error)
    assert str(travelled) == str(error)
    assert vars(travelled) == vars(error)
    return error


def check(name: Any, overrides: Any) -> None:
    found = outcome(lambda: resolve(name, **overrides))
    assert isinstance(found, ResolvedProfile | ProfileError)
    if isinstance(found, ProfileError):
        return
    repr(found)
    outcome(lambda: missing(found))
    outcome(lambda: fetch(found, *found.values))
    if not overrides:
        assert copy.deepcopy(found).origins() == found.origins()
        assert pickle.loads(pickle.dumps(found)).origins() == found.origins()


@QUICK
@given(data=FILES, overrides=OVERRIDES, name=KEYS)
@example(data={"a": {"env": {"": "x"}}}, overrides={}, name="a")
@example(data={"a": {"lm": {"x": [{"api_key": "${A}"}]}}}, overrides={}, name="a")
def test_data_of_any_shape_in_a_file(project: Path, data: Any, overrides: Any, name: Any) -> None:
    text = "\n".join(f"{toml(key)} = {toml(value)}" for key, value in data.items())
    (project / "profiles.toml").write_bytes(text.encode())
    names = outcome(list_profiles)
    assert isinstance(names, ProfileError) or set(data) - {"$schema"} <= set(names)
    for asked in (name, None, *data):
        check(asked, {})
        check(asked, overrides)


@QUICK
@given(text=LAYOUTS | st.text(max_size=60), overrides=OVERRIDES)
def test_text_of_any_kind_in_a_file(project: Path, text: Any, overrides: Any) -> None:
    (project / "profiles.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    names = outcome(list_profiles)
    for asked in ("a", None, *([] if isinstance(names, ProfileError) else names)):
        check(asked, overrides)


@QUICK
@given(raw=st.binary(max_size=60))
def test_bytes_of_any_kind_in_every_file_that_is_read(home: Path, project: Path, raw: Any) -> None:
    (home / ".dspy").mkdir(exist_ok=True)
    for file in (
        home / ".dspy/profiles.toml",
        home / ".dspy/config.toml",
        project / "profiles.toml",
    ):
        file.write_bytes(raw)
        check("mock", {})
        file.unlink()


@QUICK
@given(table=SECTIONS)
def test_data_of_any_shape_in_the_settings(project: Path, table: Any) -> None:
    (project / "pyproject.toml").write_bytes(f"[tool]\ndspy-profiles = {toml(table)}".encode())
    check("mock", {})


@QUICK
@given(environment=st.dictionaries(st.sampled_from(["HOME", "XDG_CONFIG_HOME"]), KEYS))
def test_an_environment_of_any_kind(environment: Any) -> None:
    assume(not any("\0" in value for value in environment.values()))
    assert isinstance(outcome(lambda: find_locations(environ=environment)).root, Path)


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_whole_after_a_pickle(name: Any) -> None:
    kind = getattr(errors, name)
    if isinstance(kind, type) and issubclass(kind, ProfileError):
        error = kind("what", "do this", Place(Path("profiles.toml"), 4))
        travelled = pickle.loads(pickle.dumps(error))
        assert (type(travelled), str(travelled)) == (kind, str(error))
        assert str(error) == "what\n  at profiles.toml:4\n  hint: do this"
        assert str(kind("what")) == "what"
        assert kind.exit_code in range(1, 8)
