"""Reading one file: what comes back, what is kept, and what is said of a file that is bad."""

import contextlib
import gc
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dspy_profiles.config import file_stamp, read_toml
from dspy_profiles.errors import InvalidFile, Place


def write(tmp_path: Any, content: Any, name: str = "profiles.toml") -> Any:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(path: Any) -> Any:
    with pytest.raises(InvalidFile) as caught:
        read_toml(path)
    assert caught.value.hint
    assert isinstance(caught.value.where, Place)
    assert caught.value.where.file == path
    return caught.value


def age(path: Any) -> None:
    """As if it had been written long ago."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns - 10**12))


def test_text_data_stamp_and_path_are_those_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "[a]\r\nb = 1\r\n")

    found = read_toml(path)

    assert (found.path, found.text, found.data) == (path, "[a]\r\nb = 1\r\n", {"a": {"b": 1}})
    assert found.stamp == file_stamp(path)
    assert found.stamp is not None
    assert found.stamp.size == 12
    assert found.unchanged()


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    found = read_toml(write(tmp_path, "\ufeffa = 1\n"))

    assert (found.text, found.data, found.line(("a",))) == ("a = 1\n", {"a": 1}, 1)


@pytest.mark.parametrize("below", ["none.toml", "no/folder/x.toml", "file/x.toml"])
def test_a_file_that_is_not_there_is_empty_and_stays_away(tmp_path: Path, below: Any) -> None:
    write(tmp_path, "", "file")

    found = read_toml(tmp_path / below)

    assert (found.data, found.text, found.stamp) == ({}, "", None)
    assert found.unchanged()
    assert file_stamp(tmp_path / below) is None
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_null_device_is_an_empty_file() -> None:
    assert read_toml(Path(os.devnull)).data == {}


def test_a_link_to_nowhere_is_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")

    assert read_toml(tmp_path / "link").stamp is None


def test_a_document_does_not_change_and_shows_no_content_in_its_repr(tmp_path: Path) -> None:
    found = read_toml(write(tmp_path, "key = 'sk-secret'"))

    with pytest.raises(AttributeError):
        found.text = ""  # type: ignore[misc]
    assert "sk-secret" not in repr(found)


def test_an_unchanged_file_is_parsed_once_by_any_number_of_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "a = 1\n")
    age(path)
    parsed = []
    loads = tomli.loads

    def counted(text: str) -> dict[str, Any]:
        parsed.append(1)
        return loads(text)

    monkeypatch.setattr(tomli, "loads", counted)
    start = threading.Barrier(8)

    def one(_: Any) -> Any:
        start.wait()
        return read_toml(path)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(one, range(8)))

    assert parsed == [1]
    assert all(each is found[0] for each in found)


def test_a_file_written_twice_in_one_tick_of_the_clock_is_seen_to_change(tmp_path: Path) -> None:
    path = write(tmp_path, "a = 1\n")
    before = read_toml(path)
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    path.write_bytes(b"a = 2\n")
    os.utime(path, ns=times)

    assert file_stamp(path) == before.stamp
    assert not before.unchanged()
    assert read_toml(path).data == {"a": 2}


def test_a_young_file_that_stays_the_same_is_not_parsed_again(tmp_path: Path) -> None:
    path = write(tmp_path, "a = 1\n")
    young = read_toml(path)

    assert read_toml(path) is young
    age(path)
    assert read_toml(path).data is young.data


def test_a_file_that_goes_away_is_empty_and_one_that_comes_back_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, "a = 1\n")
    first = read_toml(path)
    path.unlink()

    assert not first.unchanged()
    assert read_toml(path).data == {}
    write(tmp_path, "a = 3\n")
    assert read_toml(path).data == {"a": 3}


def test_a_process_forked_while_another_thread_reads_can_read(tmp_path: Path) -> None:
    script = """
import os, sys, threading
from pathlib import Path
from dspy_profiles.config import _document as document
held, done = threading.Event(), threading.Event()
def hold():
    with document._lock:
        held.set()
        done.wait()
thread = threading.Thread(target=hold); thread.start(); held.wait()
child = os.fork()
if not child:
    os._exit(document.read_toml(Path(sys.argv[1])).data["a"])
done.set(); thread.join()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    command = [sys.executable, "-W", "ignore", "-c", script, write(tmp_path, "a = 7\n")]

    assert subprocess.run(command, capture_output=True, check=True, timeout=60).stdout == b"7\n"


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        ("a = 1\n\nb = x\n", 3, "not valid TOML: Invalid value"),
        ("a = 1\r\n[a]\r\n", 2, "not valid TOML"),
        ("a = [\n1,\n", 3, "not valid TOML"),
        ('a = """\n\n', 3, "not valid TOML"),
        ("a = 1\na = 2\n", 2, "Cannot overwrite a value"),
        ("a = '\x1f'", 1, "not valid TOML"),
        (b"a = 1\nb = 'caf\xe9'\n", 2, "not UTF-8"),
        (b"\xef\xbb\xbfa = 1\n\nb = '\xff'\n", 3, "not UTF-8"),
        ("a = 1\n".encode("utf-16"), 1, "not UTF-8"),
        ("a = 1\nb = 2\n".encode("utf-16-le"), 1, "binary file"),
        (b"a = 1\n\x00\n", 2, "binary file"),
        ("a = " + "[" * 100_000, None, "cannot parse"),
        ("a = " + "[" * 5000 + "]" * 5000, None, "cannot parse"),
        ("a = " + "{a = " * 5000, None, "cannot parse"),
        (".".join("a" * 100_000) + " = 1", None, "cannot parse"),
        ("a = " + "1" * 5000, None, "cannot parse"),
    ],
)
def test_bad_content_is_refused_with_the_line_and_a_hint(
    tmp_path: Path, content: Any, line: Any, says: Any
) -> None:
    error = refused(write(tmp_path, content))

    assert says in error.message
    assert error.where.line == line
    assert "at line" not in error.message


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "folder" in refused(tmp_path).message


def test_a_link_that_leads_to_itself_is_refused(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)

    assert "is a symbolic link to itself" in refused(loop).message
    with pytest.raises(InvalidFile, match="is a symbolic link to itself"):
        file_stamp(loop)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert "not a regular file" in refused(tmp_path / "pipe").message


@pytest.mark.parametrize("name", ["a\0b", "x" * 300])
def test_a_name_that_cannot_be_is_refused(tmp_path: Path, name: Any) -> None:
    refused(tmp_path / name)


def test_a_file_that_may_not_be_read_says_how_to_change_that(tmp_path: Path) -> None:
    path = write(tmp_path, "a = 1\n")
    path.chmod(0)
    tmp_path.chmod(0o755)
    # Root may read everything, so this process stops being root once all is imported.
    script = """
import os, sys
from dspy_profiles.config import read_toml
from dspy_profiles.errors import InvalidFile
folder = os.open(sys.argv[1], os.O_RDONLY); os.fchdir(folder)
if not os.geteuid(): os.seteuid(65534)
from pathlib import Path
try: read_toml(Path("profiles.toml"))
except InvalidFile as error: print(error)
"""
    command = [sys.executable, "-c", script, str(tmp_path)]

    said = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60).stdout

    assert said.startswith("no permission to read profiles.toml\n")
    assert "chmod u+r" in said


ODD = settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
SIGNS = [*"[]{}=,.'#ab1\\\"", "'''", '"""', "true", "2020-01-01"]
ODD_SIGNS = ["\n", "\r\n", "\r", " ", "\0", "\ufeff"]
PIECES = st.sampled_from([sign.encode() for sign in SIGNS + ODD_SIGNS] + [b"\xff"])


@ODD
@given(st.binary(max_size=60) | st.lists(PIECES, max_size=25).map(b"".join))
def test_any_bytes_are_a_document_or_refused(tmp_path: Path, content: Any) -> None:
    path = write(tmp_path, content)
    where: Any = None

    try:
        found = read_toml(path)
    except InvalidFile as error:
        found, where = None, error.where
    if found is None:
        assert 1 <= (where.line or 1) <= content.count(b"\n") + 1
    else:
        assert found.data == tomli.loads(content.decode("utf-8-sig"))
        assert all(found.line((name,)) for name in found.data)


@pytest.mark.parametrize("text", ["[a]\n", "[a\n"], ids=["sound", "broken"])
@pytest.mark.parametrize("collects", [True, False])
def test_the_garbage_collector_is_afterwards_as_it_was(
    tmp_path: Path, text: Any, collects: Any
) -> None:
    path = write(tmp_path, text)
    if not collects:
        gc.disable()
    try:
        with contextlib.suppress(InvalidFile):
            read_toml(path)
        assert gc.isenabled() is collects
    finally:
        gc.enable()
