"""Commands do little: counted, because times differ from machine to machine."""

import gc
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli

from dspy_profiles.config import _toml
from dspy_profiles.schema import _keys

RUN = """
import json, os, sys
def stop(*_):
    print(json.dumps(sorted(sys.modules)), flush=True)
    os._exit(0)
os.execve = stop
sys.argv = ["dspy-profiles", "run", "--profile", "mock", "--", sys.executable, "-c", "pass"]
from dspy_profiles.__main__ import main
main()
"""


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str], list[Any]]:
    """Replace a function by one that notes the first argument of each call."""

    def counted(module: Any, name: str) -> list[Any]:
        calls: list[Any] = []
        function = getattr(module, name)

        def noted(first: Any, *others: Any) -> Any:
            calls.append(first)
            return function(first, *others)

        monkeypatch.setattr(module, name, noted)
        return calls

    return counted


def test_set_parses_each_text_once_and_checks_its_own_keys(
    quick: Any, write: Any, count: Any
) -> None:
    keys = "".join(f"k{number} = {number}\n" for number in range(1000))
    path = write("profiles.toml", f'[p.lm]\nmodel = "a/b"\n{keys}')
    before = path.read_text()
    _toml.all_statements.cache_clear()
    parses, readings = count(tomli, "loads"), count(_toml, "statements")
    near_misses = count(_keys, "near_miss")

    assert quick("set", "p", "lm.k1001", "7").code == 0

    after = before + "k1001 = 7\n"
    assert path.read_text() == after
    assert [text for text in parses if len(text) > len("lm.k1001 = 7")] == [before, after]
    assert readings == [before, after]
    assert near_misses == ["k1001"]


def test_list_searches_no_lines_unless_it_prints_them(quick: Any, write: Any, count: Any) -> None:
    write("profiles.toml", '[p.lm]\nmodel = "a/b"\n')
    _toml.all_statements.cache_clear()
    readings = count(_toml, "statements")

    assert "a/b" in quick("list").out
    assert not readings
    assert json.loads(quick("list", "--json").out)["profiles"][0]["line"] == 1
    assert len(readings) == 1


def test_list_writes_one_line_per_profile_to_a_pipe(cli: Any, write: Any) -> None:
    text = "x" * 20_000
    path = write("profiles.toml", f'[a.lm]\nmodel = "{text}"\n[b.lm]\nmodel = "short"\n')

    done = cli("list", "--file", path)

    lines = done.out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["PROFILE", "MODEL"],
        ["a", text],
        ["b", "short"],
        ["mock", "built"],
    ]
    assert max(map(len, lines[2:])) < 200


def test_values_of_several_lines_stay_in_their_column(cli: Any, write: Any) -> None:
    write("profiles.toml", '[p.lm]\nmodel = "a/b"\nstop = """é\nthe end"""\n')

    first, second = cli("show", "p").out.splitlines()[-2:]

    assert first.index("é") == second.index("the end")


@pytest.mark.skipif(sys.platform == "win32", reason="a program replaces no process there")
def test_run_loads_neither_rich_nor_pluggy(project: Path, cache: dict[str, str]) -> None:
    done = subprocess.run([sys.executable, "-c", RUN], capture_output=True, text=True, check=True)

    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert not loaded & {"rich", "pluggy", "filelock", "tomlkit", "dotenv", "dspy", "orjson"}
    assert "dspy_profiles.config._toml" not in json.loads(done.stdout)


def test_the_collector_of_a_parent_program_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    from dspy_profiles.__main__ import main

    before = gc.isenabled(), gc.get_threshold()
    monkeypatch.setattr(sys, "argv", ["dspy-profiles", "--version"])
    monkeypatch.setattr("atexit.register", lambda _: None)

    with pytest.raises(SystemExit):
        main()

    assert (gc.isenabled(), gc.get_threshold()) == before
