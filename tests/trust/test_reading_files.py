"""Profiles, `.env`, cassettes, bundles and markers that somebody else has written."""

import json
import os
import signal
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from dspy_profiles.calls.cassettes import (
    Cassette,
    LastRun,
    NotAsked,
    describe,
    prune,
    write_last_run,
)
from dspy_profiles.cli import app
from dspy_profiles.config import SESSION_VARIABLE, locate
from dspy_profiles.errors import InvalidFile, InvalidProfile
from dspy_profiles.profiles import list_profiles
from dspy_profiles.results import load_examples, open_store
from dspy_profiles.results.export import import_bundle
from dspy_profiles.run import _refusals as refusals
from dspy_profiles.run.session import Session
from dspy_profiles.schema import _cache as cache
from dspy_profiles.secrets import Missing, from_file, load_env_files

PATIENCE = 60  # seconds after which a test that hangs fails
HEADER = b'{"cassette":1}\n'
ENTRY = b'{"kind":"lm","request":{"model":"m"},"responses":[{"response":{}}]}\n'
Special = Callable[[Path], None]


def a_huge_file(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3 * 2**30)


SPECIAL: dict[str, Special] = {
    "pipe": os.mkfifo,
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
    "folder": lambda path: path.mkdir(),
    "huge file": a_huge_file,
}
specials = pytest.mark.parametrize("special", SPECIAL.values(), ids=SPECIAL)


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """Fail a test that hangs."""

    def stop(*_: object) -> None:
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def cli(*words: str) -> Result:
    done = CliRunner().invoke(app, words)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


class TestFilesThatCannotBeReadToTheirEnd:
    @specials
    def test_profiles(self, project: Path, special: Special) -> None:
        special(project / "profiles.toml")
        done = cli("list")
        assert (done.exit_code, "profiles.toml" in done.stderr) == (4, True)
        with pytest.raises(InvalidFile):
            list_profiles()

    @specials
    def test_env_files(self, project: Path, special: Special) -> None:
        """A `.env` that is no regular file is none, as before; before, a huge one was read."""
        special(project / ".env")
        if (project / ".env").is_file():
            with pytest.raises(InvalidFile, match="larger than 16 MB"):
                load_env_files([project / ".env"], lambda _: True)
        else:
            load_env_files([project / ".env"], lambda _: True)

    @specials
    def test_secrets(self, project: Path, special: Special) -> None:
        """Before: a pipe made it hang, a device filled the memory."""
        special(project / "key")
        found = from_file("key", project)
        assert isinstance(found, Missing)
        assert "cannot be read" in found.reason

    @specials
    @pytest.mark.parametrize("command", ["list", "check"])
    def test_cassettes(self, project: Path, special: Special, command: str) -> None:
        """Before: a pipe made it hang, a device filled the memory."""
        (project / "cassettes").mkdir()
        special(project / "cassettes/a.jsonl")
        (project / "cassettes/b.jsonl").write_bytes(HEADER + ENTRY)
        done = cli("cassettes", command)
        assert done.exit_code == 4
        assert "a.jsonl" in done.stderr
        assert "b.jsonl" in done.stdout or "1 cassette" in done.stdout

    @specials
    def test_the_record_of_the_last_run(self, project: Path, special: Special) -> None:
        (project / ".dspy").mkdir()
        special(project / ".dspy/cassettes.json")
        done = cli("cassettes", "prune", "--yes")
        assert done.exit_code == 4
        assert "delete it, and run all tests again" in done.stderr

    @specials
    def test_bundles(self, project: Path, special: Special) -> None:
        """Before: a pipe made it hang."""
        special(project / "run.zip")
        done = cli("results", "import", "run.zip")
        assert (done.exit_code, "not a readable bundle" in done.stderr) == (4, True)

    @specials
    def test_examples(self, project: Path, special: Special) -> None:
        special(project / "train.jsonl")
        with pytest.raises(InvalidFile, match="cannot be read"):
            load_examples(project / "train.jsonl")

    @specials
    def test_caches(self, project: Path, special: Special, monkeypatch: pytest.MonkeyPatch) -> None:
        special(project / "cache.bin")
        monkeypatch.setattr(cache, "_file", lambda _: str(project / "cache.bin"))
        assert cache._load("root") is None

    def test_dev_null_is_an_empty_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DSPY_PROFILES_PATH", os.devnull)
        assert cli("list").exit_code == 0


class TestPrune:
    """It removes files of the cassette folder, whatever the record of the last run names."""

    @pytest.fixture
    def outside(self, home: Path) -> Path:
        """A cassette of another project."""
        path = home / "other" / "x.jsonl"
        path.parent.mkdir()
        path.write_bytes(HEADER + ENTRY)
        return path

    @pytest.fixture
    def folder(self, project: Path) -> Path:
        folder = project / "cassettes"
        folder.mkdir()
        (folder / "own.jsonl").write_bytes(HEADER + ENTRY)
        return folder

    def test_leaves_what_is_elsewhere(self, folder: Path, outside: Path, project: Path) -> None:
        others = (str(outside), "../other/x.jsonl", f"{folder}/../../other/x.jsonl")
        key = NotAsked((describe_key(outside),), ["model"])
        write_last_run(project, LastRun(others, dict.fromkeys(others, key)))
        done = cli("cassettes", "prune", "--yes")
        assert (done.exit_code, outside.read_bytes()) == (0, HEADER + ENTRY)
        assert "nothing to remove" in done.stdout

    def test_follows_no_link(self, folder: Path, outside: Path, project: Path) -> None:
        """Before: it deleted the file that a link in the folder names."""
        (folder / "link.jsonl").symlink_to(outside)
        (folder / "deep").symlink_to(outside.parent)
        names = (str(outside), str(folder / "link.jsonl"), str(folder / "deep/x.jsonl"))
        write_last_run(project, LastRun(names))
        assert cli("cassettes", "prune", "--yes").exit_code == 0
        assert outside.exists()
        assert (folder / "link.jsonl").is_symlink()

    @pytest.mark.parametrize("where", ["../other", "{home}/other", "link"])
    def test_needs_the_name_of_a_folder_outside(
        self, folder: Path, outside: Path, project: Path, where: str, home: Path
    ) -> None:
        """Before: settings of the project could name any folder, and its files went."""
        (project / "link").symlink_to(outside.parent)
        where = where.format(home=home)
        (project / "pyproject.toml").write_text(f'[tool.dspy-profiles]\ncassette-dir = "{where}"\n')
        write_last_run(project, LastRun((str(outside),)))
        done = cli("cassettes", "prune", "--yes")
        assert (done.exit_code, outside.exists()) == (4, True)
        assert "outside of the project" in done.stderr
        assert cli("cassettes", "prune", str(outside.parent), "--yes").exit_code == 0
        assert not outside.exists()

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "[]",
            "[" * 100_000,
            '{"files":["\\u0000"],"requests":{}}',
            '{"files":["\\ud800"],"requests":{}}',
            '{"files":[3],"requests":{}}',
            '{"files":[],"requests":{"x":{"keys":[3],"match":["model"]}}}',
            '{"files":[],"requests":{"x":{"keys":["a"],"match":["nothing"]}}}',
            '{"files":[],"requests":{"x":{"keys":["a"],"match":[]}}}',
            '{"files":[],"requests":{"x":{"keys":["a"],"match":3}}}',
        ],
    )
    def test_refuses_a_record_that_no_run_has_written(
        self, folder: Path, project: Path, text: str
    ) -> None:
        """Before: deep brackets and a NUL ended with tracebacks."""
        (project / ".dspy").mkdir()
        (project / ".dspy/cassettes.json").write_text(text)
        done = cli("cassettes", "prune", "--yes")
        assert done.exit_code == 4
        assert "not the file that a test run writes" in done.stderr

    def test_writes_its_record_through_no_link(self, project: Path, outside: Path) -> None:
        """Before: a test run replaced the file that the link names."""
        (project / ".dspy").mkdir()
        (project / ".dspy/cassettes.json").symlink_to(outside)
        (project / ".dspy/.gitignore").symlink_to(outside.with_name("new"))
        write_last_run(project, LastRun())
        assert outside.read_bytes() == HEADER + ENTRY
        assert not outside.with_name("new").exists()


def describe_key(path: Path) -> str:
    return Cassette(path, match=["model"]).unused[0].key


class TestCassettes:
    @pytest.mark.parametrize("command", ["list", "check"])
    def test_a_link_that_leaves_the_folder_is_not_read(
        self, project: Path, home: Path, command: str
    ) -> None:
        (project / "cassettes").mkdir()
        (home / "notes").write_bytes(HEADER + b"sk-abcdefghijklmnopqrstuvwxyz\n")
        (project / "cassettes/x.jsonl").symlink_to(home / "notes")
        done = cli("cassettes", command)
        assert done.exit_code == 4
        assert "a symbolic link to a file outside of the folder" in " ".join(done.stderr.split())
        assert "notes" not in done.stdout

    @pytest.mark.parametrize("key", ["request", "responses", "dspy"])
    def test_a_deep_line_is_one_error_with_its_place(self, tmp_path: Path, key: str) -> None:
        """Before: removing requests from such a file ended with a traceback."""
        deep: Any = []
        for _ in range(500):
            deep = [deep]
        entry = {"kind": "lm", "request": {"model": "m"}, "responses": [{"response": {}}]}
        entry = {**entry, key: {"a": deep} if key == "request" else [{"response": deep}]}
        path = tmp_path / "x.jsonl"
        path.write_bytes(HEADER + ENTRY + json.dumps(entry).encode() + b"\n")
        with pytest.raises(InvalidFile, match="nested too deeply") as raised:
            prune(path, {"0"})
        assert str(raised.value.where) == f"{path}:3"

    def test_a_line_that_unfolds_without_end_is_refused(self, tmp_path: Path) -> None:
        """Before: a file of a few megabytes filled the memory."""
        part = json.dumps({"part": "ab", "text": "x" * 2**20}).encode() + b"\n"
        entry = {
            "kind": "lm",
            "request": {"model": {"$text": ["ab"] * 100_000}},
            "responses": [{"response": {}}],
        }
        path = tmp_path / "x.jsonl"
        path.write_bytes(HEADER + part + json.dumps(entry).encode() + b"\n")
        with pytest.raises(InvalidFile, match="does not have the form"):
            describe(path)


class TestBundles:
    """More of them are in the tests of results."""

    @pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
    def test_a_member_that_is_no_file_is_refused(self, project: Path, mode: int) -> None:
        about = zipfile.ZipInfo("seal.json")
        about.external_attr = (mode | 0o777) << 16
        with zipfile.ZipFile(project / "run.zip", "w") as file:
            file.writestr(about, "/etc/passwd")
        with pytest.raises(InvalidFile, match="not a regular file"):
            import_bundle(project / "run.zip", open_store("memory:links"))

    def test_wrong_sizes_are_refused_before_anything_is_unpacked(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Before: it was unpacked up to the size that it says."""
        files = {
            "seal.json": {"size": 10, "sha256": ""},
            "experiment.json": {"size": 2**20, "sha256": ""},
        }
        manifest = {"format": "dspy-profiles experiment", "v": 1, "id": "0" * 26, "files": files}
        with zipfile.ZipFile(project / "run.zip", "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("manifest.json", json.dumps(manifest))
            file.writestr("seal.json", b" " * 2**20)
            file.writestr("experiment.json", b" " * 2**20)
        opened: list[str] = []
        read = zipfile.ZipFile.open

        def noted(self: zipfile.ZipFile, name: Any, *more: Any, **rest: Any) -> Any:
            opened.append(name.filename)
            return read(self, name, *more, **rest)

        monkeypatch.setattr(zipfile.ZipFile, "open", noted)
        with pytest.raises(InvalidFile, match=r"seal.json.*has changed"):
            import_bundle(project / "run.zip", open_store("memory:sizes"))
        assert opened == ["manifest.json"]


SESSIONS = {
    "not JSON": "{",
    "a list": "[]",
    "deep": "[" * 100_000,
    "no text": {"reason": 3},
    "no folder": {"cwd": None},
    "a folder with a NUL": {"cwd": "/a\0b"},
    "half a character": {"cwd": "\ud800"},
    "a file that is a number": {"cassette": 3},
    "settings that are a text": {"set": "lm.model=x"},
}


@pytest.mark.parametrize("text", SESSIONS.values(), ids=SESSIONS)
def test_a_session_is_what_run_writes(
    text: str | dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before: deep brackets and odd folders ended every Python with a traceback."""
    whole = json.loads(Session(tmp_path, None, False, "dev", "reason").to_text())
    text = text if isinstance(text, str) else json.dumps({**whole, **text})
    with pytest.raises(InvalidProfile, match=SESSION_VARIABLE):
        Session.from_text(text)
    monkeypatch.setenv(SESSION_VARIABLE, text)
    with suppress(InvalidFile):  # it reads the folder alone
        locate()


def test_a_torn_report_of_refused_calls_still_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before: half a line of a killed process ended run with a traceback."""
    report = tmp_path / "report.jsonl"
    report.write_bytes(b'{"error": "the budget is reached", "shown": false}\n[]\n{"err')
    assert refusals.exit_code(report, 0) == 1
    assert "the budget is reached" in capsys.readouterr().err
    report.unlink()
    assert refusals.exit_code(report, 3) == 3
