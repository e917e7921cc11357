"""`run --record`: whatever Pythons a program consists of, their calls are one experiment."""

import os
import shlex
import signal
import subprocess
import sys
from typing import Any

import pexpect
import pytest

from dspy_profiles.results import open_store

ASKS = """
    import dspy, subprocess, sys
    answer = dspy.Predict("question -> answer")(question=" ".join(sys.argv[1:]) or "?").answer
    print(answer)
"""
STARTS_ANOTHER = ASKS + '    subprocess.run([sys.executable, "asks.py", "the other"], check=True)\n'
posix = pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")


@pytest.fixture
def recorded(project: Any) -> Any:
    """The one experiment that there is, and what was asked in it."""

    def read(url: Any = None) -> Any:
        with open_store(url) as store:
            (experiment,) = store.query_experiments()
            asked = [t.inputs and t.inputs["question"] for t in store.query_trials(experiment.id)]
            assert list(store.verify(experiment.id)) == []
        return experiment, asked

    return read


def test_calls_of_the_program_and_of_pythons_below_it_are_trials(
    run: Any, write: Any, recorded: Any
) -> None:
    write("asks.py", ASKS)
    write("starts.py", STARTS_ANOTHER)

    done = run("--record", "-p", "mock", "starts.py", "the first")

    experiment, asked = recorded()
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == (
        f'dspy-profiles: recorded "starts.py": 2 trials; dspy-profiles trace {experiment.id}\n'
    )
    assert asked == ["the first", "the other"]
    assert (experiment.status, experiment.profile) == ("done", "mock")
    assert experiment.details["profile"]["reason"] == "from --profile"
    assert experiment.details["command"][-2:] == ["starts.py", "the first"]


def test_the_closing_line_leads_to_a_store_that_was_named(run: Any, write: Any) -> None:
    write("asks.py", ASKS)
    done = run("--record", "--store", "sqlite:my results.db", "-p", "mock", "asks.py", "once")
    _, *words = shlex.split(done.stderr.partition("; ")[2])
    shown = subprocess.run(
        [sys.executable, "-m", "dspy_profiles", *words], capture_output=True, text=True, check=True
    )
    assert "asks.py" in shown.stdout


def test_threads_are_heard(run: Any, write: Any, recorded: Any) -> None:
    write(
        "threads.py",
        """
        import dspy
        from concurrent.futures import ThreadPoolExecutor
        ask = dspy.Predict("question -> answer")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: ask(question=str(n)), range(20)))
        """,
    )
    run("--record", "-p", "mock", "threads.py")
    assert sorted(map(int, recorded()[1])) == list(range(20))


def test_a_program_without_a_profile_is_recorded_on_its_own_lm(
    run: Any, write: Any, recorded: Any
) -> None:
    write(
        "own.py",
        """
        import dspy
        dspy.configure(lm=dspy.utils.DummyLM([{"answer": "Paris"}]))
        print(dspy.Predict("question -> answer")(question="where").answer)
        """,
    )
    done = run("--record", "own.py")
    experiment, asked = recorded()
    assert (done.stdout, asked, experiment.profile) == ("Paris\n", ["where"], None)
    assert "no active profile" in done.stderr


@pytest.mark.parametrize(
    ("ends", "code"),
    [("sys.exit(3)", 3), ("raise ValueError('no')", 1), ("sys.exit()", 0), ("os._exit(4)", 4)],
)
def test_it_ends_as_the_program_does(
    run: Any, write: Any, recorded: Any, ends: Any, code: Any
) -> None:
    write("ends.py", ASKS + f"    import os; {ends}\n")
    assert run("--record", "-p", "mock", "ends.py").returncode == code
    experiment, asked = recorded()
    assert (experiment.status, asked) == ("failed" if code else "done", ["?"])


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_a_program_that_a_signal_ends_ends_us_by_it(
    run: Any, write: Any, recorded: Any, number: Any
) -> None:
    # Whoever starts the suite by nohup has it ignored; SIGKILL cannot be.
    dies = "" if number == signal.SIGKILL else f"signal.signal({int(number)}, signal.SIG_DFL); "
    ends = f"    import os, signal; {dies}os.kill(os.getpid(), {int(number)})\n"
    write("ends.py", ASKS + ends)
    assert run("--record", "-p", "mock", "ends.py").returncode == -number
    experiment, asked = recorded()
    assert (experiment.status, asked) == ("failed", ["?"])


@posix
def test_what_is_sent_to_us_reaches_the_program(start: Any, write: Any, recorded: Any) -> None:
    write(
        "waits.py",
        """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by TERM"))
        print("ready", flush=True)
        while True:
            time.sleep(60)
        """,
    )
    child = start("--record", "-p", "mock", "waits.py")
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGTERM)
    _, said = child.communicate()
    assert (child.returncode, said.splitlines()[0]) == (1, "ended by TERM")
    assert recorded()[0].status == "failed"


@posix
def test_ctrl_c_in_a_terminal_is_the_programs(
    command: tuple[str, ...], write: Any, recorded: Any
) -> None:
    write(
        "waits.py",
        """
        import time
        try:
            print("ready", flush=True)
            time.sleep(600)
        except KeyboardInterrupt:
            print("once")
            raise
        """,
    )
    words = [*command[1:], "--record", "-p", "mock", "waits.py"]
    child = pexpect.spawn(command[0], words, timeout=60)
    child.expect_exact("ready")
    child.sendintr()
    child.expect_exact("once")
    child.expect_exact("recorded")
    child.expect(pexpect.EOF)
    child.close()
    assert child.signalstatus == signal.SIGINT
    assert recorded()[0].status == "interrupted"


def test_the_store_is_that_of_the_option_then_of_the_settings(
    run: Any, write: Any, recorded: Any
) -> None:
    write("asks.py", ASKS)
    write("pyproject.toml", '[tool.dspy-profiles]\nstore = "file:kept"\n')
    run("--record", "-p", "mock", "asks.py")
    assert recorded("file:kept")[1] == ["?"]
    run("--record", "--store", "file:other", "-p", "mock", "asks.py")
    assert recorded("file:other")[1] == ["?"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--store", "file:x", "asks.py"], 2, "--store needs --record"),
        (["--record", "--store", "memory:", "asks.py"], 6, "use a store on disk"),
        (["--record", "--store", "nonsense", "asks.py"], 6, "is not a result store"),
        (["--record", "-p", "nope", "asks.py"], 3, 'profile "nope" not found'),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_run_or_kept(
    run: Any, write: Any, words: Any, code: Any, said: Any
) -> None:
    script = write("asks.py", "open('ran', 'w')")
    before = set(script.parent.iterdir())
    done = run(*words)
    assert (done.returncode, said in done.stderr) == (code, True)
    assert set(script.parent.iterdir()) == before


def test_a_program_that_is_not_there_leaves_no_open_experiment(run: Any, project: Any) -> None:
    done = run("--record", "-p", "mock", "--", "no-such-program")
    assert done.returncode in (126, 127)
    with open_store() as store:
        assert not [e for e in store.query_experiments() if e.status in ("running", "interrupted")]


def test_no_secret_gets_into_the_record(run: Any, write: Any, project: Any) -> None:
    secret = "canary-9e2f41"
    write("profiles.toml", '[p]\nextends = "mock"\n[p.env]\nTHE_KEY = "${TOKEN}"\n')
    write("asks.py", ASKS)
    run("--record", "-p", "p", "asks.py", secret, env={"TOKEN": secret})
    written = [path for path in (project / ".dspy").rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if secret.encode() in path.read_bytes()]


def test_a_program_that_never_imports_dspy_is_an_empty_experiment(run: Any, recorded: Any) -> None:
    done = run("--record", "-p", "mock", "--", sys.executable, "-c", "print(1)")
    experiment, asked = recorded()
    assert (done.stdout, experiment.trials, asked) == ("1\n", 0, [])
