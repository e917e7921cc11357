"""Layers and `extends`: what a profile comes to, and where each value was written."""

from typing import Any

import pytest

from dspy_profiles.errors import InvalidProfile
from dspy_profiles.profiles import resolve


def test_a_project_profile_shadows_the_users_whole(home: Any, write: Any) -> None:
    write(home / ".dspy/profiles.toml", '[a.lm]\nmodel = "u"\ntop_p = 1.0\n[a.settings]\nx = 1\n')
    write("profiles.toml", '[a.lm]\nmodel = "p"\n')
    assert resolve("a").values == {"lm": {"model": "p"}}


def test_the_parents_values_lie_under_the_childs(write: Any) -> None:
    write(
        "profiles.toml",
        """
        [base]
        description = "cheap"
        [base.lm]
        model = "b"
        temperature = 0.5
        [a]
        extends = "base"
        [a.lm]
        model = "a"
        """,
    )
    found = resolve("a")
    assert found.lm == {"model": "a", "temperature": 0.5}
    assert (found.parents, found.description) == (("base",), "cheap")
    assert "extends" not in found.values


def test_of_several_parents_the_later_wins(write: Any) -> None:
    write(
        "profiles.toml",
        """
        one.lm = { model = "1", a = 1 }
        two.lm = { model = "2", b = 2 }
        both = { extends = ["one", "two"] }
        """,
    )
    found = resolve("both")
    assert found.lm == {"model": "2", "a": 1, "b": 2}
    assert found.parents == ("one", "two")


def test_a_diamond_is_no_circle(write: Any) -> None:
    write(
        "profiles.toml",
        """
        top.lm = { model = "top", a = 0 }
        left = { extends = "top", lm = { a = 1 } }
        right = { extends = "top", lm = { b = 2 } }
        bottom = { extends = ["right", "left"] }
        """,
    )
    found = resolve("bottom")
    assert found.lm == {"model": "top", "a": 1, "b": 2}
    assert sorted(found.parents) == ["left", "right", "top"]


def test_a_profile_that_extends_its_own_name_extends_the_layer_below(home: Any, write: Any) -> None:
    user = write(home / ".dspy/profiles.toml", '[a.lm]\nmodel = "u"\ntop_p = 1.0\n')
    own = write("profiles.toml", '[a]\nextends = "a"\n[a.lm]\nmodel = "p"\n')
    found = resolve("a")
    assert found.lm == {"model": "p", "top_p": 1.0}
    assert [str(found.origin(f"lm.{k}")) for k in ("model", "top_p")] == [f"{own}:4", f"{user}:3"]
    assert found.files == (own, user)


def test_a_parent_is_looked_up_in_all_layers(home: Any, write: Any) -> None:
    write(home / ".dspy/profiles.toml", '[a]\nextends = "base"\n[base.lm]\nmodel = "u"\n')
    write("profiles.toml", '[base.lm]\nmodel = "p"\n[b]\nextends = "a"\n')
    assert resolve("a").lm["model"] == "p"
    assert resolve("b").lm["model"] == "p"


def test_to_extend_oneself_without_a_layer_below_is_an_error(write: Any) -> None:
    path = write("profiles.toml", '[a]\nextends = "a"\n')
    with pytest.raises(InvalidProfile, match="in a layer below") as error:
        resolve("a")
    assert str(error.value.where) == f"{path}:2"


def test_a_circle_is_told_with_its_way_and_its_line(write: Any) -> None:
    path = write(
        "profiles.toml", 'a.extends = "b"\nb.extends = "c"\nc.extends = "a"\nd.extends = "b"\n'
    )
    with pytest.raises(InvalidProfile, match="a → b → c → a") as error:
        resolve("a")
    assert str(error.value.where) == f"{path}:3"
    with pytest.raises(InvalidProfile, match="circle"):
        resolve("d")


def test_an_unknown_parent_is_told_with_the_nearest_name(write: Any) -> None:
    path = write("profiles.toml", '[base]\n\n[a]\nextends = ["bsae"]\n')
    with pytest.raises(InvalidProfile, match='"a" extends "bsae"') as error:
        resolve("a")
    assert str(error.value.where) == f"{path}:4"
    assert error.value.hint is not None
    assert 'did you mean "base"?' in error.value.hint


def test_a_hundred_levels_are_deep_enough(write: Any) -> None:
    chain = [f'p{n}.extends = "p{n + 1}"' for n in range(150)]
    write("profiles.toml", "\n".join([*chain, 'p150.lm.model = "m"']))
    assert resolve("p60").lm["model"] == "m"
    with pytest.raises(InvalidProfile, match="more than 100 levels"):
        resolve("p0")


def test_a_wide_lattice_is_worked_out_once_for_each_profile(write: Any) -> None:
    rows = [f'p{n} = {{ extends = ["p{n + 1}", "q{n + 1}"] }}' for n in range(60)]
    rows += [f'q{n} = {{ extends = ["p{n + 1}", "q{n + 1}"] }}' for n in range(60)]
    write("profiles.toml", "\n".join([*rows, 'p60.lm.model = "p"', 'q60.lm.model = "q"']))
    assert resolve("p0").lm["model"] == "q"


def test_a_faulty_profile_harms_only_those_that_extend_it(write: Any) -> None:
    write("profiles.toml", "[bad]\nlmm = 1\n[good.lm]\nmodel = 'm'\n[child]\nextends = 'bad'\n")
    assert resolve("good").lm["model"] == "m"
    with pytest.raises(InvalidProfile, match='profile "bad": unknown section "lmm"'):
        resolve("child")


def test_tables_merge_deep_and_everything_else_is_replaced(write: Any) -> None:
    write(
        "profiles.toml",
        """
        [base.lm]
        stop = ["a", "b"]
        extra = { x = { y = 1, z = 2 }, n = 1 }
        gone = { k = 1 }
        grown = 1
        [a]
        extends = "base"
        [a.lm]
        stop = ["c"]
        extra.x.y = 9
        gone = "text"
        grown = { k = 1 }
        """,
    )
    assert resolve("a").lm == {
        "stop": ["c"],
        "extra": {"x": {"y": 9, "z": 2}, "n": 1},
        "gone": "text",
        "grown": {"k": 1},
    }


def test_an_empty_table_adds_nothing_and_takes_nothing_away(write: Any) -> None:
    write(
        "profiles.toml", "base.lm = { x = { k = 1 } }\na = { extends = 'base', lm = { x = {} } }\n"
    )
    found = resolve("a")
    assert found.lm == {"x": {"k": 1}}
    assert found.origin("lm.x.k").profile == "base"


def test_an_empty_table_that_stands_alone_is_a_value(write: Any) -> None:
    path = write("profiles.toml", "[a.lm]\nextra_headers = {}\n[a.adapter]\n")
    found = resolve("a")
    assert found.values == {"lm": {"extra_headers": {}}, "adapter": {}}
    assert str(found.origin("lm.extra_headers")) == f"{path}:2"


def test_dotted_keys_mean_the_same_as_tables(write: Any) -> None:
    write("profiles.toml", 'a.lm.model = "m"\n[b]\nlm.model = "m"\n[c.lm]\nmodel = "m"\n')
    assert resolve("a").values == resolve("b").values == resolve("c").values


def test_class_name_is_the_older_spelling_of_an_rms_class(write: Any) -> None:
    path = write(
        "profiles.toml",
        """
        [a.rm]
        class_name = "x.Old"
        [b]
        extends = "a"
        [b.rm]
        class = "x.New"
        [c]
        extends = "b"
        rm.class_name = "x.Newer"
        """,
    )
    assert resolve("a").rm == {"class": "x.Old"}
    assert str(resolve("a").origin("rm.class")) == f"{path}:2"
    assert resolve("b").rm == {"class": "x.New"}
    assert resolve("c").rm == {"class": "x.Newer"}
    assert resolve("a", rm={"class_name": "x.Mine"}).rm == {"class": "x.Mine"}


def test_every_value_knows_file_line_layer_and_profile(home: Any, write: Any) -> None:
    user = write(home / ".dspy/profiles.toml", "[base.lm]\nmodel = 'b'\ntop_p = 1.0\n")
    own = write("profiles.toml", "[a]\nextends = 'base'\n\n[a.lm]\nmodel = 'a'\n")
    found = resolve("a", settings={"num_threads": 3})
    assert found.origins() == {
        ("lm", "model"): (own, 5, "project", "a"),
        ("lm", "top_p"): (user, 3, "user", "base"),
        ("settings", "num_threads"): (None, None, "override", "a"),
    }
    assert str(found.origin("settings.num_threads")) == "override"


def test_an_origin_of_nothing_is_a_key_error_with_a_hint(write: Any) -> None:
    write("profiles.toml", "[a.lm]\nmodel = 'm'\n")
    with pytest.raises(KeyError, match=r"lm\.model"):
        resolve("a").origin("lm.modle")
    with pytest.raises(InvalidProfile):
        resolve("a").origin("lm.model = 0 #")


def test_a_named_file_is_a_layer_of_its_own(write: Any) -> None:
    write("other.toml", "[a.lm]\nmodel = 'm'\n")
    assert resolve("a", file="other.toml").origin("lm.model").layer == "file"
