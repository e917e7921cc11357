"""`cassettes list`, `check`, `prune`: every option, and every file that is none."""

import json
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.calls.cassettes import LastRun, NotAsked, write_last_run
from dspy_profiles.calls.cassettes._read import read

HEADER = '{"cassette":1,"dspy":"3.4.1","profile":"a1b2"}\n'
TRACK = '{{"kind":"lm","request":{{"model":"{}"}},"responses":[{{"response":{{"text":"{}"}}}}]}}\n'
BROKEN = {
    "torn": (f"{HEADER}{TRACK.format('m', 'x')[:40]}".encode(), 2, "is truncated"),
    "truncated": (HEADER[:20].encode(), 1, "the first line is not a header"),
    "by hand": (f'{HEADER}{{"kind":"lm"}}\n'.encode(), 2, '"request" must be a JSON object'),
    "conflict": (f"{HEADER}<<<<<<< HEAD\n".encode(), 2, "part of a git conflict"),
    "newer": (b'{"cassette":3}\n', 1, "has format 3; this dspy-profiles reads format 1 and 2"),
    "empty": (b"", 1, "is empty"),
    "binary": (bytes(range(256)) * 9, 1, "the first line is not a header"),
}


@pytest.fixture
def two(write: Any) -> Any:
    write("cassettes/a.jsonl", HEADER + TRACK.format("m", "x") + TRACK.format("n", "y"))
    write("cassettes/deep/b.jsonl", HEADER + TRACK.format("m", "z"))
    return Path("cassettes/a.jsonl"), Path("cassettes/deep/b.jsonl")


def keys(path: Any) -> Any:
    return [entry.key for entry in read(path).entries]


class TestList:
    def test_each_file_is_a_line(self, quick: Any, two: Any) -> None:
        done = quick("cassettes", "list")
        assert done.code == 0
        assert done.lines[0] == ["CASSETTE", "REQUESTS", "SIZE", "AGE", "MODELS"]
        first, second = done.lines[1:3]
        assert (Path(first[0]), first[1], first[-1]) == (two[0], "2", "m, n")
        assert (Path(second[0]), second[1], second[-1]) == (two[1], "1", "m")

    def test_as_json_it_says_all_of_it(self, quick: Any, two: Any) -> None:
        payload = quick("cassettes", "list", "--json").json
        assert payload["errors"] == []
        one = payload["cassettes"][0]
        assert (Path(one["path"]).name, one["size"]) == ("a.jsonl", two[0].stat().st_size)
        assert (one["format"], one["dspy"], one["profile"]) == (1, "3.4.1", "a1b2")
        assert (one["requests"], one["responses"], one["models"]) == (2, 2, ["m", "n"])

    @pytest.mark.parametrize(
        ("path", "count"), [("cassettes/deep", 1), ("cassettes/a.jsonl", 1), (".", 2)]
    )
    def test_a_file_or_a_folder_may_be_named(
        self, quick: Any, two: Any, path: Any, count: Any
    ) -> None:
        assert len(quick("cassettes", "list", path, "--json").json["cassettes"]) == count

    def test_the_folder_is_the_one_of_the_setting(self, quick: Any, write: Any) -> None:
        write("pyproject.toml", '[tool.dspy-profiles]\ncassette-dir = "tapes"\n')
        write("tapes/c.jsonl", HEADER)
        (one,) = quick("cassettes", "list", "--json").json["cassettes"]
        assert (Path(one["path"]).parent.name, one["requests"]) == ("tapes", 0)

    def test_where_there_are_none_it_says_so(self, quick: Any) -> None:
        done = quick("cassettes", "list")
        assert (done.code, done.out, done.err) == (0, "", "no cassettes yet\n")

    @pytest.mark.parametrize("name", BROKEN)
    def test_a_broken_one_is_told_with_its_line_beside_the_others(
        self, quick: Any, two: Any, name: Any
    ) -> None:
        held, line, said = BROKEN[name]
        Path("cassettes/c.jsonl").write_bytes(held)
        done = quick("cassettes", "list")
        assert done.code == 4
        assert len([row for row in done.lines[1:] if row]) == 2
        assert f"c.jsonl:{line}" in done.err
        assert said in done.err
        (fault,) = quick("cassettes", "list", "--json").payload["errors"]
        assert said in fault["message"]
        assert fault["where"].endswith(f"c.jsonl:{line}")
        assert fault["hint"]
        assert Path("cassettes/c.jsonl").read_bytes() == held


class TestCheck:
    def test_nothing_is_found_where_nothing_is(self, quick: Any, two: Any) -> None:
        done = quick("cassettes", "check")
        assert (done.code, done.out) == (0, "no keys in 2 cassettes\n")
        assert quick("cassettes", "check", "--json").json == {
            "ok": True,
            "findings": [],
            "errors": [],
        }

    def test_what_looks_like_a_key_is_told_with_its_line_and_not_shown(
        self, quick: Any, two: Any, canary: str
    ) -> None:
        with two[0].open("a") as file:
            file.write(TRACK.format("o", f"my key is {canary}-{canary}"))
        done = quick("cassettes", "check")
        assert done.code == 1
        assert "a.jsonl:4" in done.out
        assert "an API key" in done.out
        payload = quick("cassettes", "check", "--json").payload
        (finding,) = payload["findings"]
        assert (payload["ok"], finding["line"], finding["what"]) == (False, 4, "an API key")
        assert quick("cassettes", "check", "cassettes/deep").code == 0

    @pytest.mark.parametrize("name", BROKEN)
    def test_a_file_that_is_none_is_told_beside_the_others(
        self, quick: Any, two: Any, name: Any
    ) -> None:
        held, line, said = BROKEN[name]
        Path("cassettes/c.jsonl").write_bytes(held)
        done = quick("cassettes", "check")
        assert (done.code, done.out) == (4, "no keys in 2 cassettes\n")
        assert f"c.jsonl:{line}" in done.err
        assert said in done.err
        alone = quick("cassettes", "check", "cassettes/c.jsonl")
        assert (alone.code, alone.out) == (4, "")
        payload = quick("cassettes", "check", "--json").payload
        assert (payload["ok"], payload["findings"]) == (False, [])
        assert said in payload["errors"][0]["message"]

    def test_a_key_in_a_broken_file_comes_first(self, quick: Any, write: Any, canary: str) -> None:
        write("cassettes/c.jsonl", f"no cassette {canary}-{canary}")
        done = quick("cassettes", "check")
        assert done.code == 1
        assert "an API key" in done.out
        assert "the first line is not a header" in done.err

    def test_names_of_the_settings_count(self, quick: Any, two: Any, write: Any) -> None:
        held = json.dumps({"my-word": "a8Kd02mZq91xLwPv7TsB"})[1:-1]
        two[1].write_text(HEADER + TRACK.format("m", "z").replace('"text"', f'{held},"text"'))
        assert quick("cassettes", "check").code == 0
        write("pyproject.toml", '[tool.dspy-profiles]\nsecret-keys = ["my-word"]\n')
        assert quick("cassettes", "check").code == 1

    def test_a_line_that_is_no_json_is_looked_at_too(
        self, quick: Any, two: Any, canary: str
    ) -> None:
        two[1].write_text(f"{HEADER}torn {canary}-{canary}")
        assert "b.jsonl:2" in quick("cassettes", "check").out


class TestPrune:
    def test_without_a_full_run_it_says_what_to_run(self, quick: Any, two: Any) -> None:
        done = quick("cassettes", "prune", "--yes")
        assert (done.code != 0, "pytest --dspy-cassettes none" in done.err) == (True, True)

    def test_what_no_test_used_goes(self, quick: Any, two: Any, project: Path) -> None:
        asked, not_asked = keys(two[0])
        match = ("model", "messages", "tools", "config", "rollout_id")
        unused = {str(two[0].resolve()): NotAsked((not_asked,), match)}
        write_last_run(project, LastRun((str(two[1].resolve()),), unused))
        done = quick("cassettes", "prune", "--yes")
        assert done.code == 0, done.err
        assert "not used by any test" in done.out
        assert "requests not used by any test: 1" in done.out
        assert keys(two[0]) == [asked]
        assert not two[1].exists()

    def test_only_what_is_under_the_path_that_is_named(
        self, quick: Any, two: Any, project: Path
    ) -> None:
        write_last_run(project, LastRun(tuple(str(each.resolve()) for each in two)))
        assert quick("cassettes", "prune", "--yes", "cassettes/deep").code == 0
        assert (two[0].exists(), two[1].exists()) == (True, False)

    def test_it_asks_first_and_no_is_no(self, terminal: Any, two: Any, project: Path) -> None:
        write_last_run(project, LastRun((str(two[0].resolve()),)))
        screen = terminal("cassettes", "prune").until("Remove these? [y/N]: ").type("n")
        assert screen.until("nothing was removed").end() == 1
        assert two[0].exists()
        screen = terminal("cassettes", "prune").until("Remove these? [y/N]: ").type("y")
        assert screen.until("removed from 1 cassette\r\n").end() == 0
        assert not two[0].exists()

    def test_where_nobody_can_be_asked_nothing_goes(
        self, quick: Any, two: Any, project: Path
    ) -> None:
        write_last_run(project, LastRun((str(two[0].resolve()),)))
        done = quick("cassettes", "prune")
        assert (done.code, two[0].exists()) == (2, True)
        assert "--yes removes without asking" in done.err

    def test_where_all_was_used_nothing_goes(self, quick: Any, two: Any, project: Path) -> None:
        write_last_run(project, LastRun())
        assert (
            quick("cassettes", "prune").out
            == "nothing to remove: the last full test run used everything\n"
        )

    def test_what_is_not_what_a_run_leaves_is_an_error_that_names_it(
        self, quick: Any, two: Any
    ) -> None:
        Path(".dspy").mkdir()
        Path(".dspy/cassettes.json").write_text('{"files": 3}')
        done = quick("cassettes", "prune", "--yes")
        assert done.code == 4
        assert "cassettes.json" in done.err


@pytest.mark.parametrize("command", ["list", "check", "prune"])
def test_a_path_that_is_not_there_is_an_error(
    quick: Any, two: Any, project: Path, command: Any
) -> None:
    write_last_run(project, LastRun())
    done = quick("cassettes", command, "nowhere")
    assert done.code == 3
    assert "cassette or folder nowhere not found" in done.err
