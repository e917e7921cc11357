"""The child has the terminal, the streams, the signals and the exit code, as if by itself."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pexpect
import pytest

from dspy_profiles.run import _process as processes
from dspy_profiles.run._command_line import NotExecutable

ASKS = """
    import sys
    print("one", flush=True)
    sys.stdin.readline()
    print("two", flush=True)
"""
WAITS = """
    import os, signal, time
    {handler}
    print(os.getpid(), flush=True)
    while True:
        time.sleep(60)
"""


def test_lines_arrive_as_they_are_printed(start: Any, write: Any) -> None:
    write("asks.py", ASKS)
    child = start("-p", "mock", "asks.py")
    assert child.stdout.readline() == "one\n"  # it prints the next when it is answered
    assert child.communicate("go on\n") == ("two\n", "")
    assert child.returncode == 0


def test_it_is_the_process_that_was_started(start: Any, write: Any) -> None:
    write("waits.py", WAITS.format(handler=""))
    child = start("-p", "mock", "waits.py")
    assert int(child.stdout.readline()) == child.pid


def test_it_asks_on_the_terminal(command: tuple[str, ...], write: Any) -> None:
    write(
        "asks.py",
        """
        import os, sys
        assert all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
        print("you are", input("name? "), os.get_terminal_size().columns)
        """,
    )
    child = pexpect.spawn(
        command[0], [*command[1:], "-p", "mock", "asks.py"], dimensions=(30, 77), timeout=60
    )
    child.expect_exact("name? ")
    child.sendline("Zoe")
    child.expect_exact("you are Zoe 77")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_sigterm_ends_it(start: Any, write: Any) -> None:
    write("waits.py", WAITS.format(handler=""))
    child = start("-p", "mock", "waits.py")
    child.stdout.readline()
    child.terminate()
    assert child.wait() == -signal.SIGTERM


def test_its_own_answer_to_a_signal_counts(start: Any, write: Any) -> None:
    handler = "signal.signal(signal.SIGTERM, lambda *_: os._exit(5))"
    write("waits.py", WAITS.format(handler=handler))
    child = start("-p", "mock", "waits.py")
    child.stdout.readline()
    child.terminate()
    assert child.wait() == 5


def test_ctrl_c_reaches_it_and_the_shell_sees_130(command: tuple[str, ...], write: Any) -> None:
    write("waits.py", WAITS.format(handler=""))
    line = " ".join([*command, "-p mock waits.py"])
    shell = pexpect.spawn("/bin/sh", ["-c", f"trap : INT; {line}; echo ended with $?"], timeout=60)
    shell.expect(r"\d+\r\n")
    shell.sendintr()
    shell.expect_exact("KeyboardInterrupt")
    shell.expect_exact("ended with 130")
    shell.close()


@pytest.mark.parametrize("code", [0, 1, 37])
def test_its_exit_code_is_ours(run: Any, code: int) -> None:
    assert run("-p", "mock", "-c", f"raise SystemExit({code})").returncode == code


def test_streams_that_are_closed_stay_closed(command: tuple[str, ...]) -> None:
    line = shlex.join([*command, "-p", "mock", "--", "sh", "-c", "test ! -e /dev/fd/1 && exit 37"])
    done = subprocess.run(["sh", "-c", f"{line} <&- >&-"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (37, b"")


def test_what_is_piped_in_reaches_it(run: Any) -> None:
    done = run("-p", "mock", "--", "cat", input="first\nsecond\n")
    assert (done.stdout, done.stderr) == ("first\nsecond\n", "")


def test_no_byte_of_its_output_is_touched(run: Any) -> None:
    every = bytes(range(256)) + b"\r\n[bold]red[/bold] \x1b[31m:smile:"
    done = run("-p", "mock", "--", "cat", input=every, text=False)
    assert (done.stdout, done.stderr) == (every, b"")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_no_signal_is_ignored_that_was_not_before(run: Any) -> None:
    words = ["grep", "^SigIgn", "/proc/self/status"]
    alone = subprocess.run(words, capture_output=True, text=True, check=True)
    below = run("-p", "mock", "--", *words)
    of_libc = 3 << 31  # 32 and 33 are for threads, and it ignores them as it starts a process
    now, before = (int(done.stdout.split()[1], 16) & ~of_libc for done in (below, alone))
    assert now == before


def test_files_that_are_open_for_it_stay_open(run: Any) -> None:
    reading, writing = os.pipe()
    run("-p", "mock", "-c", f"import os; os.write({writing}, b'here')", pass_fds=[writing])
    os.close(writing)
    assert os.read(reading, 9) == b"here"
    os.close(reading)


def test_words_behind_the_first_are_the_childs(run: Any) -> None:
    words = ["--debug", "--no-color", "--profile", "x", "--", "--help", "", "a b", "$HOME", "*"]
    show = "import sys; print(sys.argv[1:])"
    assert run("-p", "mock", "-c", show, *words).stdout == f"{words}\n"
    assert run("-p", "mock", "--", sys.executable, "-c", show, *words).stdout == f"{words}\n"


def test_two_dashes_end_our_options(run: Any, write: Any) -> None:
    show = write("show.py", "import sys; print(sys.argv[1:])")
    assert run("-p", "mock", "--", show, "--", "-p").stdout == "['--', '-p']\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["no-such-command"], 127, 'error: command "no-such-command" not found'),
        (["./no-such-file"], 127, 'error: command "./no-such-file" not found'),
        ([""], 127, 'error: command "" not found'),
        (["./plain.txt"], 126, 'error: command "./plain.txt" cannot be run: Permission denied'),
        (["plain.txt"], 126, 'error: command "plain.txt" cannot be run: Permission denied'),
        (["./folder"], 126, 'error: command "./folder" cannot be run: Is a directory'),
        (["./lost"], 126, 'error: "./lost" cannot be run: No such file or directory'),
        (["./empty"], 126, 'error: "./empty" cannot be run: Exec format error'),
    ],
)
def test_a_command_that_cannot_be_run(
    run: Any, write: Any, words: Any, code: Any, said: Any
) -> None:
    write("plain.txt", "")
    write("folder/x", "")
    write("lost", "#!/no/such/interpreter\n").chmod(0o755)
    write("empty", "").chmod(0o755)
    done = run("-p", "mock", "--", *words, env={"PATH": f"{os.environ['PATH']}:{Path.cwd()}"})
    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"{said}\n")


def test_a_command_of_this_environment_that_is_not_on_path_is_pointed_out(run: Any) -> None:
    there = Path(sys.executable).with_name("pytest")
    done = run("-p", "mock", "--", "pytest", env={"PATH": "/nowhere"})
    assert done.returncode == 127
    assert f"{there}, which is not on PATH" in done.stderr


@pytest.mark.parametrize("words", [[], ["--"], ["-p", "mock"], ["--profle", "x", "true"]])
def test_a_command_line_that_says_nothing_to_run_is_a_usage_error(run: Any, words: Any) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert "Usage: " in done.stderr
    assert "Traceback" not in done.stderr


def test_where_a_process_cannot_be_replaced_its_end_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert processes.wait_for([sys.executable, "-c", "raise SystemExit(37)"], os.environ) == 37

    waited = subprocess.Popen.wait
    interrupts = [KeyboardInterrupt, KeyboardInterrupt]

    def interrupted(self: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        if interrupts:
            raise interrupts.pop()
        return waited(self, timeout)

    monkeypatch.setattr(subprocess.Popen, "wait", interrupted)
    assert processes.wait_for([sys.executable, "-c", "raise SystemExit(3)"], os.environ) == 3
    assert interrupts == []


@pytest.mark.parametrize("way", [processes.become, processes.accompany])
def test_on_windows_both_ways_wait_for_the_end(monkeypatch: pytest.MonkeyPatch, way: Any) -> None:
    windows = SimpleNamespace(platform="win32", stdout=None, stderr=None)
    monkeypatch.setattr(processes, "sys", windows)
    assert way([sys.executable, "-c", "raise SystemExit(5)"], os.environ) == 5


def test_a_file_that_only_looks_like_a_program_cannot_be_accompanied(write: Any) -> None:
    file = write("looks", "#!/no/such/interpreter\n")
    file.chmod(0o755)
    with pytest.raises(NotExecutable, match="looks. cannot be run: No such file"):
        processes.accompany([str(file)], os.environ)


def test_a_signal_that_ends_nothing_becomes_an_exit_code() -> None:
    assert processes.end_as(-signal.SIGURG) == 128 + signal.SIGURG
    assert processes.end_as(37) == 37
