"""A resolved profile is data: it cannot be changed, it travels, it prints."""

import copy
import dataclasses
import json
import pickle
from typing import Any

import pytest

from dspy_profiles.config import join_key, split_key
from dspy_profiles.objects import content
from dspy_profiles.profiles import Table, override, resolve
from dspy_profiles.profiles._profile import Items
from dspy_profiles.secrets import Reference, Secret

FILE = """
[prod]
description = "paid"
[prod.lm]
model = "openai/gpt-4o"
api_key = "${OPENAI_API_KEY}"
stop = ["a", ["b"]]
tools = [{ name = "t", args = [1] }]
extra_headers = { x = "y" }
"""

TABLE_CHANGES = {
    "setitem": lambda t: t.__setitem__("model", 1),
    "delitem": lambda t: t.__delitem__("model"),
    "ior": lambda t: t.__ior__({"a": 1}),
    "clear": lambda t: t.clear(),
    "pop": lambda t: t.pop("model"),
    "popitem": lambda t: t.popitem(),
    "setdefault": lambda t: t.setdefault("a", 1),
    "update": lambda t: t.update(a=1),
}
LIST_CHANGES = {
    "setitem": lambda v: v.__setitem__(0, 1),
    "slice": lambda v: v.__setitem__(slice(None), []),
    "delitem": lambda v: v.__delitem__(0),
    "iadd": lambda v: v.__iadd__([1]),
    "imul": lambda v: v.__imul__(2),
    "append": lambda v: v.append(1),
    "clear": lambda v: v.clear(),
    "extend": lambda v: v.extend([1]),
    "insert": lambda v: v.insert(0, 1),
    "pop": lambda v: v.pop(),
    "remove": lambda v: v.remove("a"),
    "reverse": lambda v: v.reverse(),
    "sort": lambda v: v.sort(),
}


@pytest.fixture
def prod(write: Any) -> Any:
    write("profiles.toml", FILE)
    return resolve("prod")


@pytest.mark.parametrize("change", TABLE_CHANGES.values(), ids=TABLE_CHANGES)
def test_no_method_changes_a_table(prod: Any, change: Any) -> None:
    for table in (prod.values, prod.lm, prod.lm["extra_headers"], prod.lm["tools"][0], prod.rm):
        before = repr(table)
        with pytest.raises(TypeError, match="overrides"):
            change(table)
        assert repr(table) == before


@pytest.mark.parametrize("change", LIST_CHANGES.values(), ids=LIST_CHANGES)
def test_no_method_changes_a_list(prod: Any, change: Any) -> None:
    for items in (prod.lm["stop"], prod.lm["stop"][1], prod.lm["tools"][0]["args"]):
        before = repr(items)
        with pytest.raises(TypeError, match="overrides"):
            change(items)
        assert repr(items) == before


def test_every_changing_method_of_dict_and_list_is_refused() -> None:
    changing = {"__delitem__", "__iadd__", "__imul__", "__ior__", "__setitem__"}
    changing |= {"append", "clear", "extend", "insert", "pop", "popitem", "remove", "reverse"}
    changing |= {"setdefault", "sort", "update"}
    for frozen, base in ((Table, dict), (Items, list)):
        assert {name for name in changing & set(dir(base)) if name not in vars(frozen)} == set()


def test_the_profile_itself_is_frozen(prod: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        prod.name = "x"


def test_overrides_that_change_later_do_not_change_the_profile(project: Any) -> None:
    given: dict[str, Any] = {"stop": ["a"], "extra": {"k": [1]}}
    found = resolve("mock", lm=given)
    given["stop"].append("b")
    given["extra"]["k"].append(2)
    assert found.lm == {"stop": ["a"], "extra": {"k": [1]}}


@pytest.mark.parametrize(
    "travelled",
    [
        lambda p: pickle.loads(pickle.dumps(p)),
        lambda p: pickle.loads(pickle.dumps(p, protocol=2)),
        copy.deepcopy,
        copy.copy,
    ],
    ids=["pickle", "pickle 2", "deepcopy", "copy"],
)
def test_a_travelled_profile_is_the_same_with_its_origins(prod: Any, travelled: Any) -> None:
    other = travelled(prod)
    assert other == prod
    assert other.origins() == prod.origins()
    assert other.origin("lm.model").line == 4
    assert isinstance(other.lm["api_key"], Reference)
    assert type(other.lm["stop"]) is Items
    with pytest.raises(TypeError):
        other.lm["stop"].append(1)
    with pytest.raises(TypeError):
        other.lm["model"] = "x"


def test_a_pickle_holds_nothing_of_other_profiles(write: Any) -> None:
    write("profiles.toml", FILE + '[theirs.lm]\nmodel = "their-own-model"\n')
    assert b"their-own-model" not in pickle.dumps(resolve("prod"))


def test_it_prints_references_and_json_takes_it(prod: Any) -> None:
    assert json.loads(json.dumps(prod.values))["lm"]["api_key"] == "${OPENAI_API_KEY}"
    assert str(prod.lm["api_key"]) == f"{prod.lm['api_key']}" == "${OPENAI_API_KEY}"
    for shown in (repr(prod), str(prod), repr(prod.lm)):
        assert "${OPENAI_API_KEY}" in shown


def test_tables_and_lists_are_dictionaries_and_lists_for_everybody_else(prod: Any) -> None:
    assert isinstance(prod.lm, dict)
    assert prod.lm["stop"] == ["a", ["b"]]
    assert prod.lm | {"model": "m"} == {**prod.lm, "model": "m"}
    assert dataclasses.asdict(prod)["values"] == prod.values


@pytest.mark.parametrize("section", ["rm", "adapter", "provider", "settings", "lms", "embedder"])
def test_a_section_that_is_not_there_is_an_empty_table(prod: Any, section: Any) -> None:
    assert getattr(prod, section) == {}


def test_overrides_go_on_top_and_beside(prod: Any) -> None:
    found = resolve("prod", lm={"model": "m", "extra_headers": {"z": "1"}}, env={"X": "y"})
    assert found.lm["model"] == "m"
    assert found.lm["extra_headers"] == {"x": "y", "z": "1"}
    assert found.env == {"X": "y"}
    assert found.origin("lm.model").layer == "override"
    assert found.origin("lm.stop").layer == "project"
    assert resolve("prod").lm["model"] == "openai/gpt-4o"


def test_further_overrides_keep_what_is_known_of_the_rest(prod: Any) -> None:
    found = override(prod, {"lm": {"temperature": 0, "token": "sk-mine-1234"}})
    assert found.origin("lm.model") == prod.origin("lm.model")
    assert found.secret_keys == {("lm", "api_key"), ("lm", "token")}
    assert isinstance(found.lm["token"], Secret)
    assert override(pickle.loads(pickle.dumps(prod)), {"lm": {"n": 1}}).lm["n"] == 1


def test_a_reference_that_is_handed_on_stays_a_secrets_reference(prod: Any) -> None:
    found = resolve("mock", lm={"api_key": prod.lm["api_key"]})
    assert isinstance(found.lm["api_key"], Reference)
    assert found.secret_keys == {("lm", "api_key")}


def test_an_objects_of_overrides_are_handed_on_as_they_are(project: Any) -> None:
    thing, pair = object(), (1, 2)
    found = resolve("mock", lm={"thing": thing, "timeout": pair, "none": None})
    assert found.lm["thing"] is thing
    assert found.lm["timeout"] is pair
    assert found.lm["none"] is None


@pytest.mark.parametrize("path", [("lm", "model"), ("a.b",), ("",), ('"', "'"), ("\n\t\x7f", "ü")])
def test_a_key_that_is_joined_is_split_again(path: Any) -> None:
    assert split_key(join_key(path)) == path


def test_content_tells_apart_what_differs_and_nothing_else() -> None:
    @dataclasses.dataclass(frozen=True)
    class Looks:
        hashable: list[int]

    thing = Looks([1])
    assert hash(content({"x": thing})) == hash(content({"x": thing}))
    assert content({"a": 1, "b": []}) == content({"b": [], "a": 1})
    different = [1, 1.0, True, "1", None, [], (), {}, {"a": 1}, [1], object()]
    assert len({content(value) for value in different}) == len(different)


def test_a_fingerprint_is_of_what_a_profile_comes_to(prod: Any, write: Any) -> None:
    same = FILE.replace('description = "paid"', 'description = "dear"')
    write("profiles.toml", same)
    assert resolve("prod").fingerprint == prod.fingerprint
    write("profiles.toml", same.replace("gpt-4o", "gpt-4o-mini"))
    assert resolve("prod").fingerprint != prod.fingerprint


def test_no_secret_has_a_part_in_a_fingerprint(prod: Any, write: Any) -> None:
    write("profiles.toml", FILE.replace("OPENAI_API_KEY", "ANOTHER_KEY"))
    assert resolve("prod").fingerprint == prod.fingerprint
