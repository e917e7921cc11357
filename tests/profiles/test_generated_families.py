"""Profiles that extend each other in any way: the merge of all, or an error with the line."""

import json
from typing import Any

import tomli
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dspy_profiles.errors import InvalidProfile, Place, ProfileNotFound
from dspy_profiles.profiles import leaves, resolve

NAMES = ["a", "b", "c", "d"]
KEYS = st.sampled_from(["x", "y", "z.z"])
TABLES = st.recursive(
    st.dictionaries(KEYS, st.integers(0, 99), max_size=2),
    lambda inner: st.dictionaries(KEYS, st.integers(0, 99) | inner, max_size=3),
    max_leaves=5,
)
PROFILES = st.fixed_dictionaries(
    {},
    optional={
        "lm": TABLES,
        "settings": TABLES,
        "description": st.sampled_from(["one", "two"]),
        "extends": st.sampled_from(NAMES)
        | st.lists(st.sampled_from([*NAMES, "mock", "e"]), max_size=3, unique=True),
    },
)
LAYERS = st.tuples(*[st.dictionaries(st.sampled_from(NAMES), PROFILES, min_size=2)] * 2)


def toml(value: Any) -> Any:
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {toml(item)}' for key, item in value.items()) + "}"
    return json.dumps(value)


def written(layer: Any) -> Any:
    lines = []
    for name, profile in layer.items():
        lines += [f"[{name}]", *(f"{key} = {toml(value)}" for key, value in profile.items())]
    return "\n".join(lines)


class NoMerge(Exception):
    """A circle, or a parent that there is not."""


def merged(layers: Any, name: Any, rank: int = 0, above: Any = ()) -> Any:
    """The same by other means: each value under its whole path, the later over the earlier."""
    found = next((r for r in range(rank, len(layers)) if name in layers[r]), None)
    if found is None or (name, found) in above:
        raise NoMerge
    own = dict(layers[found][name])
    parents = own.pop("extends", [])
    values: dict[str, Any] = {}
    for parent in [parents] if isinstance(parents, str) else parents:
        lowest = found + 1 if parent == name else 0
        put_over(values, merged(layers, parent, lowest, (*above, (name, found))))
    put_over(values, dict(leaves(own)))
    return values


def put_over(values: Any, others: Any) -> None:
    for path, value in others.items():
        within = [each for each in values if each[: len(path)] == path and each != path]
        if value == {} and within:
            continue
        holders = [path[:length] for length in range(1, len(path) + 1)]
        for gone in [*within, *holders]:
            values.pop(gone, None)
        values[path] = value


def outcome(name: Any) -> Any:
    try:
        return dict(leaves(resolve(name).values))
    except (InvalidProfile, ProfileNotFound) as error:
        return error


@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(LAYERS, st.sampled_from(NAMES))
@example(({"a": {"extends": "b", "lm": {"x": {}}}, "b": {"lm": {"x": {"y": 1}}}}, {}), "a")
def test_a_profile_is_the_merge_of_its_family_or_its_line_is_told(
    home: Any, project: Any, layers: Any, name: Any
) -> None:
    (home / ".dspy").mkdir(exist_ok=True)
    files = [project / "profiles.toml", home / ".dspy/profiles.toml"]
    for file, layer in zip(files, layers, strict=True):
        file.write_text(written(layer))
        assert tomli.loads(file.read_text()) == layer
    built_in = {"mock": {"description": "built in, offline", "provider": {"class": "mock"}}}
    try:
        expected = merged([*layers, built_in], name)
    except NoMerge:
        expected = None
    found = outcome(name)
    if isinstance(found, ProfileNotFound):
        assert not any(name in layer for layer in layers)
    elif isinstance(found, InvalidProfile):
        assert expected is None
        assert "in a circle" in found.message or "does not exist" in found.message
        assert isinstance(found.where, Place)
        assert found.where.line is not None
        line = found.where.file.read_text().splitlines()[found.where.line - 1]
        assert line.startswith("extends")
    else:
        assert found == expected
