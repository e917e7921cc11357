"""Files made up by hypothesis: every key's line is known, and every edit changes that key alone."""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dspy_profiles.config import Document, Edit
from dspy_profiles.config._toml_edit import is_written_whole
from dspy_profiles.errors import InvalidProfile

BARE = st.text("abcXYZ019_-", min_size=1, max_size=5)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
NAMES = st.one_of(BARE, BARE, ANY_TEXT, st.sampled_from(["a.b", "[x]", "#", "=", '"', "'", "é"]))
BLOCK = '"""\n[no.table]\nkey = 1 # "no\\" \\""" key\n""x"""""'
VALUES = st.one_of(
    st.integers(-99, 99).map(str),
    st.sampled_from(["true", "1.5", "-inf", "0x1F", "1979-05-27 07:32:00Z", "07:32:00"]),
    st.sampled_from(["[]", "{}", '"# ["', "'\"'", "'''\n]]\n'a'''''", BLOCK, '"""a\\\n  b"""']),
    st.sampled_from(["[ # ]\n  1, '#', # \"\n]", '[{ a = "]" }, [ 2, ], { b = [3] }]']),
    st.sampled_from(["{ a = 1 }", '{a = 1, "b.c"={d = [1, "}"]}}', "{ x.y = 1, x.z = '{' }"]),
)
NOISE = st.sampled_from(["", "", "  ", "# [x]", "#k = 1", '# "', "\t# '''", "#"])
TAIL = st.sampled_from(["", "", " # c", "\t#]", ' # "'])


def written(name: Any, style: Any) -> Any:
    plain = json.dumps(name, ensure_ascii=style == 1).replace("\x7f", "\\u007f")
    if name.isascii() and name.replace("_", "a").replace("-", "a").isalnum() and style != 1:
        return name
    if style == 2 and "'" not in name and name.isprintable():
        return f"'{name}'"
    # JSON writes what is beyond 16 bits as two halves, and TOML does not.
    return plain if style != 1 or max(name, default="a") < "\U00010000" else written(name, 0)


@dataclass
class Made:
    """A file in the making: its lines, and where each key was first written."""

    draw: st.DrawFn
    lines: list[str] = field(default_factory=list)
    own: dict[tuple[str, ...], int] = field(default_factory=dict)
    implied: dict[tuple[str, ...], int] = field(default_factory=dict)

    def key(self, names: Any) -> Any:
        styles = st.sampled_from([0, 1, 2])
        dots = st.sampled_from([".", ".", " . "])
        text = written(names[0], self.draw(styles))
        for name in names[1:]:
            text += self.draw(dots) + written(name, self.draw(styles))
        return text

    def statement(self, path: Any, text: Any) -> None:
        self.lines += self.draw(st.lists(NOISE, max_size=2))
        line = len(self.lines) + 1
        self.own.setdefault(path, line)
        for length in range(1, len(path)):
            self.implied.setdefault(path[:length], line)
        indent = self.draw(st.sampled_from(["", "", "  ", "\t"]))
        self.lines += (indent + text + self.draw(TAIL)).split("\n")

    def pairs(self, table: Any, *, within: Any = None) -> None:
        for name in self.draw(st.lists(NAMES, max_size=3, unique=True)):
            subs = self.draw(st.lists(NAMES, max_size=2, unique=True))
            keys: list[tuple[str, ...]] = [(name, sub) for sub in subs]
            for names in keys or [(name,)]:
                path = within or table + names
                equals = self.draw(st.sampled_from([" = ", "=", " =\t"]))
                self.statement(path, self.key(names) + equals + self.draw(VALUES))

    def table(self, name: Any) -> None:
        kind = self.draw(st.sampled_from(["table", "sections", "both", "array", "turned"]))
        subs = self.draw(
            st.lists(NAMES.map(lambda s: f"{s}~section"), min_size=1, max_size=2, unique=True)
        )
        if kind == "array":
            for _ in subs:
                self.statement((name,), f"[[{self.key((name,))}]]")
                self.pairs((name,), within=(name,))
            return
        if kind in {"table", "both"}:
            self.statement((name,), f"[{self.key((name,))}]")
            self.pairs((name,))
        if kind != "table":
            for sub in subs:
                self.statement((name, sub), f"[ {self.key((name, sub))} ]")
                self.pairs((name, sub))
        if kind == "turned":
            self.statement((name,), f"[{self.key((name,))}]")
            self.pairs((name,))


@st.composite
def files(draw: Any) -> Any:
    made = Made(draw)
    made.pairs(())
    roots = {path[0] for path in made.own}
    for name in draw(st.lists(NAMES, max_size=4, unique=True)):
        if name not in roots:
            made.table(name)
    made.lines += draw(st.lists(NOISE, max_size=2))
    text = "\n".join(made.lines) + draw(st.sampled_from(["", "\n"]))
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return text, made.implied | made.own


def document(text: Any) -> Any:
    return Document(Path("made.toml"), text, tomli.loads(text))


def paths(data: Any, prefix: Any = ()) -> Iterator[Any]:
    for name, value in data.items():
        yield (*prefix, name)
        if isinstance(value, dict):
            yield from paths(value, (*prefix, name))


def at(data: Any, path: Any) -> Any:
    for part in path:
        data = data[part]
    return data


def own_lines(text: Any) -> Any:
    whole = text.replace("\r\n", "\n").removesuffix("\n")
    return whole.split("\n") if whole else []


def is_within(few: Any, many: Any) -> Any:
    """Whether the lines are among the others, in their order."""
    rest = iter(many)
    return all(line in rest for line in few)


EVERY = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


@EVERY
@given(files())
def test_each_key_is_found_on_the_line_that_made_it(made: Any) -> None:
    text, expected = made
    found = document(text)

    assert {path: found.line(path) for path in expected} == expected
    for path in paths(found.data):
        nearest = next(path[:n] for n in range(len(path), 0, -1) if path[:n] in expected)
        assert found.line(path) == expected[nearest]
        assert found.line((*path, "nothing of this name")) == expected[nearest]
    assert found.line(("nothing of this name",)) is None


@EVERY
@given(files(), st.data())
def test_setting_a_value_changes_its_statement_alone(made: Any, data: Any) -> None:
    text, where = made
    found = document(text)
    keys = [p for p in paths(found.data) if not isinstance(at(found.data, p), dict)]
    if not keys:
        return
    key = data.draw(st.sampled_from(keys))
    value = data.draw(st.sampled_from([1, "x\n\"'", 0.5, True, [1, {"a": []}], float("inf")]))
    edit = Edit(found)
    edit.set(key, value)

    expected = deepcopy(found.data)
    at(expected, key[:-1])[key[-1]] = value
    assert tomli.loads(edit.text) == edit.data == expected
    first = found.line(key) - 1
    before, after = own_lines(text), own_lines(edit.text)
    assert after[:first] == before[:first] or isinstance(at(found.data, key), list)
    following = [line for line in where.values() if line - 1 > first]
    rest = len(before) - (min(following) - 1 if following else len(before))
    assert not rest or after[-rest:] == before[-rest:] or isinstance(at(found.data, key), list)


@EVERY
@given(files(), NAMES, st.data())
def test_setting_one_item_of_a_list_leaves_the_others_as_they_stand(
    made: Any, name: Any, data: Any
) -> None:
    text, _ = made
    found = document(text)
    lists = [p for p in paths(found.data) if isinstance(at(found.data, p), list)]
    keys = [p for p in lists if at(found.data, p) and is_written_whole(text, p)]
    if not keys:
        return
    key = data.draw(st.sampled_from(keys))
    new = deepcopy(at(found.data, key))
    new[data.draw(st.integers(0, len(new) - 1))] = name
    edit = Edit(found)
    edit.set(key, new)

    expected = deepcopy(found.data)
    at(expected, key[:-1])[key[-1]] = new
    assert tomli.loads(edit.text) == edit.data == expected
    before, after = own_lines(text), own_lines(edit.text)
    assert len(after) == len(before)
    assert sum(one != two for one, two in zip(before, after, strict=True)) <= 1


@EVERY
@given(files(), NAMES, st.data())
def test_a_table_set_whole_is_what_was_set(made: Any, name: Any, data: Any) -> None:
    text, _ = made
    found = document(text)
    tables = [p for p in paths(found.data) if isinstance(at(found.data, p), dict)]
    if not tables:
        return
    key = data.draw(st.sampled_from(tables))
    new = deepcopy(at(found.data, key))
    for gone in data.draw(st.lists(st.sampled_from(list(new) or [name]), unique=True)):
        new.pop(gone, None)
    new[name] = data.draw(st.sampled_from(["x", [1, {"a": "b"}], {"a": {}}, {}]))
    edit = Edit(found)
    edit.set(key, new)

    expected = deepcopy(found.data)
    at(expected, key[:-1])[key[-1]] = new
    assert tomli.loads(edit.text) == edit.data == expected


@EVERY
@given(files(), NAMES, NAMES, st.data())
def test_a_new_key_adds_lines_and_moves_none(made: Any, name: Any, sub: Any, data: Any) -> None:
    text, _ = made
    found = document(text)
    tables = [p for p in paths(found.data) if isinstance(at(found.data, p), dict)]
    parent = data.draw(st.sampled_from([(), *tables]))
    rest = data.draw(st.sampled_from([(name,), (name, sub), (name, sub, "z")]))
    if name in at(found.data, parent):
        return
    edit = Edit(found)
    edit.set(parent + rest, "new")

    expected = deepcopy(found.data)
    node = at(expected, parent)
    for part in rest[:-1]:
        node = node.setdefault(part, {})
    node[rest[-1]] = "new"
    assert tomli.loads(edit.text) == edit.data == expected
    before, after = own_lines(text), own_lines(edit.text)
    in_place = len(after) == len(before)  # inside an inline table
    assert is_within(before, after) or in_place
    assert sum(one != two for one, two in zip(before, after, strict=False)) == 1 or not in_place
    assert len(after) - len(before) <= 4
    assert ("\r\n" in text) == ("\r\n" in edit.text) or "\n" not in text
    assert edit.text.count("\r\n") in (0, edit.text.count("\n"))


@EVERY
@given(files(), st.data())
def test_unset_takes_lines_away_and_changes_none(made: Any, data: Any) -> None:
    text, _ = made
    found = document(text)
    keys = list(paths(found.data))
    if not keys:
        return
    key = data.draw(st.sampled_from(keys))
    edit = Edit(found)
    edit.unset(key)

    expected = deepcopy(found.data)
    del at(expected, key[:-1])[key[-1]]
    assert tomli.loads(edit.text) == edit.data == expected
    before, after = own_lines(text), own_lines(edit.text)
    changed = [line for line in after if line not in before]
    assert len(changed) <= 1  # an inline table, or the empty table that stays
    assert is_within([line for line in after if line not in changed], before)


@EVERY
@given(files(), NAMES, st.data())
def test_rename_changes_the_name_and_no_other_byte(made: Any, name: Any, data: Any) -> None:
    text, _ = made
    found = document(text)
    keys = list(paths(found.data))
    if not keys:
        return
    key = data.draw(st.sampled_from(keys))
    if name in at(found.data, key[:-1]):
        return
    edit = Edit(found)
    edit.rename(key, (*key[:-1], name))

    expected = deepcopy(found.data)
    holder = at(expected, key[:-1])
    holder[name] = holder.pop(key[-1])
    assert tomli.loads(edit.text) == edit.data == expected
    edit.rename((*key[:-1], name), key)
    assert edit.data == found.data
    assert len(edit.text.split("\n")) == len(text.split("\n"))
    values = [line.partition("=")[2] for line in own_lines(text)]
    assert len(values) == len(own_lines(edit.text))


@EVERY
@given(files(), NAMES, st.data())
def test_a_copy_leaves_the_original_as_it_was(made: Any, name: Any, data: Any) -> None:
    text, _ = made
    found = document(text)
    keys = list(paths(found.data))
    if not keys:
        return
    key = data.draw(st.sampled_from(keys))
    parent = data.draw(st.sampled_from([(), key[:-1]]))
    if name in at(found.data, parent):
        return
    edit = Edit(found)
    edit.copy(key, (*parent, name))

    expected = deepcopy(found.data)
    at(expected, parent)[name] = deepcopy(at(found.data, key))
    assert tomli.loads(edit.text) == edit.data == expected
    before, after = own_lines(text), own_lines(edit.text)
    assert is_within(before, after) or len(before) == len(after)


@EVERY
@given(files(), st.data())
def test_many_edits_in_a_row_keep_the_file_whole(made: Any, data: Any) -> None:
    text, _ = made
    edit = Edit(document(text))
    names = st.tuples(NAMES) | st.tuples(NAMES, NAMES) | st.tuples(NAMES, NAMES, NAMES)
    for step in range(6):
        keys = list(paths(edit.data)) or [("none",)]
        key = data.draw(st.sampled_from(keys) | names)
        before = deepcopy(edit.data)
        change = data.draw(st.sampled_from([edit.set, edit.unset, edit.copy]))
        try:
            if change == edit.set:
                edit.set(key, data.draw(st.sampled_from([step, {}, {"a": {"b": step}, "c": 1}])))
            elif change == edit.unset:
                edit.unset(key)
            else:
                edit.copy(key, (f"copy {step}",))
        except (KeyError, InvalidProfile):
            assert edit.data == before
        assert tomli.loads(edit.text) == edit.data
