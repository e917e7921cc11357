"""What an edit does to the text, by example: the whole file is compared, not a part of it."""

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import tomli

from dspy_profiles.config import editing

BASE = """\
# my profiles

[base]
description = 'cheap'   # and fast

[base.lm]
model = "openai/gpt-4o-mini"
temperature = 0.5 # low
# max_tokens = 10

# for the nights
[prod]
extends = "base"
lm.model = "openai/gpt-4o"
rm = { url = "http://x", k = 3 }
"""


def reads_long_inline_tables() -> Any:
    try:
        return bool(tomli.loads("a = {\n b = 1,\n}"))
    except tomli.TOMLDecodeError:
        return False


def edited(tmp_path: Any, text: Any, change: Any) -> Any:
    path = tmp_path / "profiles.toml"
    path.write_bytes(text.encode())
    with editing(path) as edit:
        change(edit)
    result = path.read_bytes().decode()
    assert tomli.loads(result) == edit.data
    return result


def test_a_value_is_replaced_in_place_and_its_comment_stays(tmp_path: Path) -> None:
    result = edited(tmp_path, BASE, lambda e: e.set(("base", "lm", "temperature"), 1.0))

    assert result == BASE.replace("temperature = 0.5 # low", "temperature = 1.0 # low")


def test_the_same_value_leaves_the_file_alone_quotes_included(tmp_path: Path) -> None:
    assert edited(tmp_path, BASE, lambda e: e.set(("base", "description"), "cheap")) == BASE


def test_one_is_not_true_and_not_one_point_zero(tmp_path: Path) -> None:
    assert edited(tmp_path, "a = 1\n", lambda e: e.set(("a",), value=True)) == "a = true\n"
    assert edited(tmp_path, "a = 1\n", lambda e: e.set(("a",), 1.0)) == "a = 1.0\n"


QUOTES = [
    ("C:\\x", r"'C:\x'"),
    ("it's", '"it\'s"'),  # single quotes cannot hold it
    ("a\nb", r'"a\nb"'),
    ("", "''"),
    (True, "true"),
    (["x"], '["x"]'),
]


@pytest.mark.parametrize(("value", "written"), QUOTES)
def test_a_new_text_stands_in_the_quotes_of_the_old_one(
    tmp_path: Path, value: Any, written: Any
) -> None:
    for old in ("'cheap'", "''"):
        text = f"a.b = {old} # c\nd = {{ e = {old} }}\n"

        def change(edit: Any) -> None:
            edit.set(("a", "b"), value)
            edit.set(("d", "e"), value)

        assert edited(tmp_path, text, change) == text.replace(old, written)
    assert edited(tmp_path, "a = '''b'''\n", lambda e: e.set(("a",), "c")) == 'a = "c"\n'


def test_a_list_of_the_same_length_changes_its_items_alone(tmp_path: Path) -> None:
    text = """\
a = [
  'base',   # the base, not "x"
  "x", [ 1, 2 ],
  # 'y',
  { b = ']', c = 'd' } ]
"""

    def change(edit: Any) -> None:
        edit.set(("a",), ["root", "x", [1, 2], {"b": "]", "c": "d"}])
        edit.set(("a",), ["root", "z's", [1, 3], {"b": "]", "c": "e"}])

    assert edited(tmp_path, text, change) == (
        text.replace("'base'", "'root'")
        .replace('"x", [ 1, 2 ]', '"z\'s", [ 1, 3 ]')
        .replace("'d'", "'e'")
    )
    assert edited(tmp_path, "a = { b = [ 'c' ] }\n", lambda e: e.set(("a", "b"), ["d"])) == (
        "a = { b = [ 'd' ] }\n"
    )
    assert edited(tmp_path, "a = [ 1, ]\n", lambda e: e.set(("a",), [1, 2])) == "a = [1, 2]\n"


def test_a_new_key_goes_behind_the_last_one_of_its_table(tmp_path: Path) -> None:
    result = edited(tmp_path, BASE, lambda e: e.set(("base", "lm", "n"), 2))

    assert result == BASE.replace("# low\n", "# low\nn = 2\n")


def test_a_new_key_is_indented_as_its_neighbour(tmp_path: Path) -> None:
    assert edited(tmp_path, "[a]\n  b = 1\n", lambda e: e.set(("a", "c"), 2)) == (
        "[a]\n  b = 1\n  c = 2\n"
    )


def test_a_table_of_dotted_keys_gets_a_dotted_key(tmp_path: Path) -> None:
    result = edited(tmp_path, BASE, lambda e: e.set(("prod", "lm", "n"), 2))

    assert result == BASE.replace('"openai/gpt-4o"\n', '"openai/gpt-4o"\nlm.n = 2\n')


def test_an_inline_table_is_changed_inside(tmp_path: Path) -> None:
    def change(edit: Any) -> None:
        edit.set(("prod", "rm", "k"), 4)
        edit.set(("prod", "rm", "deep", "er"), [1, "x"])
        edit.unset(("prod", "rm", "url"))

    result = edited(tmp_path, BASE, change)

    assert result == BASE.replace('{ url = "http://x", k = 3 }', '{ k = 4, deep.er = [1, "x"] }')


def test_an_empty_inline_table_takes_its_first_key_and_gives_it_back(tmp_path: Path) -> None:
    assert edited(tmp_path, "a = {}\n", lambda e: e.set(("a", "b"), 1)) == "a = { b = 1 }\n"
    assert edited(tmp_path, "a = {b = 1}\n", lambda e: e.unset(("a", "b"))) == "a = {}\n"
    assert edited(tmp_path, "a = {b.c = 1}\n", lambda e: e.unset(("a", "b", "c"))) == (
        "a = {b = {}}\n"
    )


LONG = "a = { # one\n  b = 1, # two\n  # three\n  c = 2,\n}\n"


@pytest.mark.skipif(not reads_long_inline_tables(), reason="this tomli reads TOML 1.0 alone")
def test_an_inline_table_of_several_lines_keeps_its_comments(tmp_path: Path) -> None:
    assert edited(tmp_path, LONG, lambda e: e.unset(("a", "b"))) == LONG.replace("b = 1, ", "")
    assert edited(tmp_path, LONG, lambda e: e.unset(("a", "c"))) == LONG.replace("c = 2,", "")
    assert edited(tmp_path, LONG, lambda e: e.set(("a", "d"), 3)) == LONG.replace(
        "c = 2,", "c = 2, d = 3,"
    )


def test_a_new_profile_goes_to_the_end_after_one_blank_line(tmp_path: Path) -> None:
    def change(edit: Any) -> None:
        edit.set(("dev", "lm", "model"), "mock/echo")

    added = '[dev.lm]\nmodel = "mock/echo"'
    assert edited(tmp_path, BASE, change) == f"{BASE}\n{added}\n"
    assert edited(tmp_path, f"{BASE}\n", change) == f"{BASE}\n{added}\n"
    assert edited(tmp_path, BASE.rstrip(), change) == f"{BASE}\n{added}"
    assert edited(tmp_path, "", change) == f"{added}\n"
    assert edited(tmp_path, "# only this\n", change) == f"# only this\n\n{added}\n"


def test_a_new_section_of_a_profile_goes_behind_its_others(tmp_path: Path) -> None:
    result = edited(tmp_path, BASE, lambda e: e.set(("base", "settings", "num_threads"), 8))

    assert result == BASE.replace(
        "# max_tokens = 10\n", "# max_tokens = 10\n\n[base.settings]\nnum_threads = 8\n"
    )


def test_a_table_known_by_its_sections_alone_gets_a_header_before_them(tmp_path: Path) -> None:
    text = "#:schema x\n[tool.a]\nb = 1\n"

    assert edited(tmp_path, text, lambda e: e.set(("tool", "name"), "n")) == (
        '#:schema x\n[tool]\nname = "n"\n\n[tool.a]\nb = 1\n'
    )


def test_a_key_outside_of_all_tables_goes_above_them(tmp_path: Path) -> None:
    def change(edit: Any) -> None:
        edit.set(("default",), "prod")

    assert edited(tmp_path, BASE, change) == BASE.replace(
        "# my profiles\n\n", '# my profiles\n\ndefault = "prod"\n\n'
    )
    assert edited(tmp_path, "#:schema x\n[a]\n", change) == '#:schema x\ndefault = "prod"\n\n[a]\n'
    assert edited(tmp_path, "a = 1\n\n[b]\n", change) == 'a = 1\ndefault = "prod"\n\n[b]\n'
    assert edited(tmp_path, "# c", change) == '# c\ndefault = "prod"'


def test_a_new_profile_given_whole_is_written_in_sections(tmp_path: Path) -> None:
    def change(edit: Any) -> None:
        edit.set(("x",), {"lm": {"model": "m", "extra": {"a": 1}}, "extends": "b", "rm": {}})
        edit.set(("y",), {})

    assert edited(tmp_path, "", change) == dedent("""\
        [x]
        extends = "b"
        rm = {}

        [x.lm]
        model = "m"
        extra = {a = 1}

        [y]
        """)


def test_a_table_set_whole_keeps_the_lines_that_stay(tmp_path: Path) -> None:
    result = edited(tmp_path, BASE, lambda e: e.set(("base", "lm"), {"temperature": 0.5, "n": 1}))

    assert result == BASE.replace('model = "openai/gpt-4o-mini"\n', "").replace(
        "# low\n", "# low\nn = 1\n"
    )


def test_an_inline_table_set_whole_keeps_what_stays_in_it(tmp_path: Path) -> None:
    text = "a = { b = 'x', c.d = 0x10,e = [ 1 ] } # f\n"

    def change(edit: Any) -> None:
        edit.set(("a",), {"b": "y", "c": {"d": 16}, "g": 2})

    assert edited(tmp_path, text, change) == "a = { b = 'y', c.d = 0x10, g = 2 } # f\n"
    assert edited(tmp_path, "a = { b = 1 }\n", lambda e: e.set(("a",), {})) == "a = { }\n"


def test_a_value_may_take_the_place_of_a_table_and_the_other_way_round(tmp_path: Path) -> None:
    assert edited(tmp_path, "[a]\n[a.b]\nc = 1\n", lambda e: e.set(("a", "b"), 1)) == (
        "[a]\nb = 1\n"
    )
    assert edited(tmp_path, "a = 1\n", lambda e: e.set(("a",), {"b": 1})) == "a = {b = 1}\n"
    assert edited(tmp_path, "[[a]]\nb = 1\n", lambda e: e.set(("a",), [2])) == "a = [2]\n"


def test_unset_takes_the_line_and_leaves_the_comments_and_an_empty_table(tmp_path: Path) -> None:
    def change(edit: Any) -> None:
        edit.unset(("base", "lm", "model"))
        edit.unset(("base", "lm", "temperature"))

    assert edited(tmp_path, BASE, change) == BASE.replace(
        'model = "openai/gpt-4o-mini"\ntemperature = 0.5 # low\n', ""
    )


def test_unset_of_a_profile_takes_its_sections_and_leaves_what_is_above_and_below(
    tmp_path: Path,
) -> None:
    result = edited(tmp_path, BASE, lambda e: e.unset(("base",)))

    assert result == "# my profiles\n\n" + BASE[BASE.index("# for the nights") :]
    assert edited(tmp_path, BASE, lambda e: e.unset(("prod",))) == (BASE[: BASE.index("[prod]")])


def test_the_table_that_held_the_last_key_stays_however_it_was_written(tmp_path: Path) -> None:
    def change(edit: Any) -> None:
        edit.unset(("p", "lm", "model"))

    assert edited(tmp_path, "[p.lm]\nmodel = 1\n", change) == "[p.lm]\n"
    assert edited(tmp_path, "[p]\nlm.model = 1 # x\n", change) == "[p]\nlm = {} # x\n"
    assert edited(tmp_path, "p.lm.model = 1\n", change) == "p.lm = {}\n"
    assert edited(tmp_path, "[p.lm.model]\na = 1\n\n[q]\n", change) == "[p.lm]\n\n[q]\n"
    assert edited(tmp_path, "[[p.lm.model]]\na = 1\n[[p.lm.model]]\n", change) == "[p.lm]\n"


def test_rename_changes_headers_dotted_keys_and_nothing_else(tmp_path: Path) -> None:
    text = BASE + "\n[ prod . 'settings' ]\nprod = 1\n\n[[prod.more]]\nprod.prod = 2\n"

    result = edited(tmp_path, text, lambda e: e.rename(("prod",), ("night run",)))

    assert result == (
        text.replace("[prod]", '["night run"]')
        .replace("[ prod .", '[ "night run" .')
        .replace("[[prod.more", '[["night run".more')
    )


def test_a_renamed_key_keeps_its_quotes(tmp_path: Path) -> None:
    text = "['a'.b]\n['a'.'a']\n[\"a\".c]\n[a.d]\n"

    assert edited(tmp_path, text, lambda e: e.rename(("a",), ("z",))) == (
        "['z'.b]\n['z'.'a']\n[\"z\".c]\n[z.d]\n"
    )
    assert edited(tmp_path, text, lambda e: e.rename(("a",), ("y z",))) == (
        "['y z'.b]\n['y z'.'a']\n[\"y z\".c]\n[\"y z\".d]\n"
    )
    assert edited(tmp_path, "'a' = 1\n", lambda e: e.rename(("a",), ("it's",))) == '"it\'s" = 1\n'


def test_rename_of_a_dotted_part_and_of_an_inline_key(tmp_path: Path) -> None:
    def change(edit: Any) -> None:
        edit.rename(("prod", "lm"), ("prod", "lm2"))
        edit.rename(("prod", "rm", "k"), ("prod", "rm", "top_k"))

    assert edited(tmp_path, BASE, change) == BASE.replace("lm.model =", "lm2.model =").replace(
        "k = 3", "top_k = 3"
    )


def test_a_copy_has_the_comments_in_and_above_the_original(tmp_path: Path) -> None:
    result = edited(tmp_path, BASE, lambda e: e.copy(("prod",), ("dev",)))

    copy = BASE[BASE.index("# for the nights") :].replace("[prod]", "[dev]")
    assert result == f"{BASE}\n{copy}"


def test_a_copy_of_a_table_in_several_sections_copies_them_all(tmp_path: Path) -> None:
    result = edited(tmp_path, BASE, lambda e: e.copy(("base",), ("x", "y")))

    assert result == BASE + dedent("""
        [x.y]
        description = 'cheap'   # and fast

        [x.y.lm]
        model = "openai/gpt-4o-mini"
        temperature = 0.5 # low
        # max_tokens = 10
        """)


def test_a_copy_of_a_value_keeps_its_way_of_writing(tmp_path: Path) -> None:
    result = edited(tmp_path, BASE, lambda e: e.copy(("prod", "rm"), ("base", "rm")))

    assert result == BASE.replace("# and fast\n", '# and fast\nrm = { url = "http://x", k = 3 }\n')


def test_a_copy_of_dotted_keys_becomes_a_section_with_their_comments(tmp_path: Path) -> None:
    text = "[p]\nlm.a = 0x10 # hex\nlm.b = 'x'\n"

    assert edited(tmp_path, text, lambda e: e.copy(("p", "lm"), ("p", "lm2"))) == (
        f"{text}\n[p.lm2]\na = 0x10 # hex\nb = 'x'\n"
    )


def test_the_schema_comment_is_set_once_and_replaced_after(tmp_path: Path) -> None:
    line = "#:schema ./profiles.schema.json"

    assert edited(tmp_path, BASE, lambda e: e.header_comment(line)) == f"{line}\n{BASE}"
    assert edited(tmp_path, f"#:schema old\r\n{BASE}", lambda e: e.header_comment(line)) == (
        f"{line}\r\n{BASE}"
    )
    assert edited(tmp_path, "#:schema old", lambda e: e.header_comment(line)) == line


@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_windows_line_ends_and_a_bom_stay_and_new_lines_follow_them(
    tmp_path: Path, start: Any
) -> None:
    text = start + BASE.replace("\n", "\r\n")

    def change(edit: Any) -> None:
        edit.set(("base", "lm", "n"), 2)
        edit.set(("new", "lm", "model"), "x")
        edit.copy(("prod",), ("last",))

    result = edited_bytes(tmp_path, text, change)

    assert result.startswith(text[: text.index("# max_tokens")].rstrip("\r\n"))
    assert result.count("\n") == result.count("\r\n")
    assert "temperature = 0.5 # low\r\nn = 2\r\n# max_tokens" in result
    assert '\r\n\r\n[new.lm]\r\nmodel = "x"\r\n\r\n# for the nights\r\n[last]\r\n' in result


def edited_bytes(tmp_path: Any, text: Any, change: Any) -> Any:
    path = Path(tmp_path, "profiles.toml")
    path.write_bytes(text.encode())
    with editing(path) as edit:
        change(edit)
    return path.read_bytes().decode()
