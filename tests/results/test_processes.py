"""Many processes, killed ones, full disks: what was acknowledged is there, once."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.results import Experiment, Store, open_store

PROGRAM = """
import os, sys, threading
import dspy
from dspy_profiles.results import open_store, record

SAID = "[[ ## answer ## ]]\\nParis\\n\\n[[ ## completed ## ]]"

class Engine:
    def complete(self, request):
        return dspy.lm15.Response(
            id="1", model="model", finish_reason="stop",
            message=dspy.lm15.Message.assistant([dspy.lm15.TextPart(SAID)]),
            usage=dspy.lm15.Usage(input_tokens=1, output_tokens=1, total_tokens=2),
        )

lm = dspy.LM("own/model", engine=Engine(), cache=False)
predict = dspy.Predict("question -> answer")
store = open_store(sys.argv[1])

def calls(first, last, tell=None):
    with dspy.context(lm=lm):
        for number in range(first, last):
            predict(question=f"question {number}")
            if tell is not None:
                os.write(tell, f"{number}\\n".encode())

def forked(work):
    '''A child that does this and nothing else.'''
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return child

def bound(function):
    '''To be run in a bare thread as if it were here.'''
    from contextvars import copy_context
    context = copy_context()
    return lambda: context.run(function)

def in_threads(count, work):
    threads = [threading.Thread(target=bound(lambda n=n: work(n))) for n in range(count)]
    for each in threads:
        each.start()
    return threads
"""

# Each child is killed when it has told of so many calls; what it told of is printed.
KILLED = f"""{PROGRAM}
import json, random, signal

def work(out):
    with record("killed", store=store):
        for each in in_threads(4, lambda n: calls(n * 100_000, (n + 1) * 100_000, out)):
            each.join()

for kill in range(int(sys.argv[2])):
    into, out = os.pipe()
    child = forked(lambda: work(out))
    os.close(out)
    told = b""
    wanted = random.Random(kill).randrange(1, 2000)
    while len(told) < wanted:
        told += os.read(into, 4096)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(into, 65536):
        told += more
    os.close(into)
    # A line that was cut off was never told.
    print(json.dumps([int(line) for line in told.split(b"\\n")[:-1]]), flush=True)
"""

WRITERS = f"""{PROGRAM}
def work(number):
    with record(f"writer {{number}}", store=store):
        calls(0, 30)

children = [forked(lambda n=n: work(n)) for n in range(8)]
for each in children:
    assert os.waitstatus_to_exitcode(os.waitpid(each, 0)[1]) == 0
"""

# One experiment: the parent and its forks write to it at once.
FORKS = f"""{PROGRAM}
with record("forks", store=store) as exp:
    class Forking(dspy.Module):
        def forward(self):
            children = [forked(lambda n=n: calls(n * 30, n * 30 + 30)) for n in range(1, 8)]
            calls(0, 30)
            for each in children:
                os.waitpid(each, 0)
    Forking()()
print(exp.id)
"""

# A fork goes on to the end of the block, as the child of a server may.
FORK_LEAVES = f"""{PROGRAM}
with record("leaves", store=store) as exp:
    child = os.fork()
    calls(0, 3)
    if child == 0:
        status = store.get_experiment(exp.id).status
    else:
        os.waitpid(child, 0)
if child == 0:
    assert store.get_experiment(exp.id).status == status == "running"
    os._exit(0)
print(exp.id)
"""

# A child is under way while the block is left, and goes on to write.
LIVES_ON = f"""{PROGRAM}
begun, tell = os.pipe()
over, close = os.pipe()
def work():
    os.close(close)
    calls(0, 1, tell)
    os.read(over, 1)
    calls(1, 2)

with record("lives on", store=store) as exp:
    child = forked(work)
    os.read(begun, 8)
os.close(close)
os.waitpid(child, 0)
print(exp.id)
"""

# The store is on a disk that fills up; the program does not notice.
STARVED = f"""{PROGRAM}
import json
with record("starved", store=store) as exp:
    calls(0, int(sys.argv[2]))
print("the program went on")
"""

BURST = f"""{PROGRAM}
with record("burst", store=store) as exp:
    def work(n):
        calls(n * 375, (n + 1) * 375)
    for each in in_threads(8, work):
        each.join()
print(exp.id)
"""

OPEN = f"""{PROGRAM}
with record("open", store=store) as exp:
    calls(0, 3)
    print(exp.id, flush=True)
    sys.stdin.readline()
"""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def run(script: str, store: Store, *arguments: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, store.url, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture
def files(file_store: Store) -> Store:
    return file_store


def asked(store: Store, found: Experiment) -> list[int]:
    """The questions of all calls that were answered, by their numbers."""
    trials = store.query_trials(found.id)
    done = [t for t in trials if t.status == "done" and t.name == "Predict"]
    assert all(trial.outputs == {"answer": "Paris"} for trial in done)
    return [int(trial.inputs["question"].split()[1]) for trial in done]


def answers(store: Store) -> Any:
    found = store.query_experiments()
    return [(e, store.query_trials(e.id), store.events(e.id)) for e in found]


@pytest.mark.parametrize("kills", [5, pytest.param(40, marks=pytest.mark.slow)])
def test_a_killed_process_loses_nothing_that_it_was_told_is_kept(files: Store, kills: int) -> None:
    told = [json.loads(line) for line in run(KILLED, files, kills).stdout.splitlines()]
    assert len(told) == kills
    closed = files.recover()
    assert len(closed) == kills
    assert {each.status for each in closed} == {"interrupted"}
    in_order = sorted(closed, key=lambda each: each.id)
    for experiment, numbers in zip(in_order, told, strict=True):
        kept = Counter(asked(files, experiment))
        assert set(numbers) <= set(kept)
        assert set(kept.values()) <= {1}, "something is there twice"
        assert files.verify(experiment.id) == []
    before = answers(files)
    files.rebuild()
    assert answers(files) == before
    assert files.recover() == []


def test_eight_processes_write_to_one_store(lasting_url: str) -> None:
    store = open_store(lasting_url)
    assert run(WRITERS, store).stderr.count("recorded") == 8
    found = store.query_experiments()
    assert sorted(each.name for each in found) == [f"writer {n}" for n in range(8)]
    assert {each.status for each in found} == {"done"}
    for each in found:
        assert asked(store, each) == list(range(30))
        assert store.verify(each.id) == []
    assert store.recover() == []


def test_forks_write_to_the_experiment_of_their_parent(files: Store) -> None:
    name = run(FORKS, files).stdout.strip()
    found = files.get_experiment(name)
    events = files.events(name)
    (root,) = [e for e in events if e.name == "Forking"]
    predicts = [e for e in events if e.name == "Predict"]
    numbers = Counter(int(e.attributes["inputs"]["question"].split()[1]) for e in predicts)
    assert numbers == Counter(range(240))
    assert {e.parent_id for e in predicts} == {root.id}, "a parent before the fork is lost"
    assert len({e.id for e in events}) == len(events) == found.details["events"]
    assert found.trials == 1
    assert files.verify(name) == []


def test_what_a_child_writes_when_it_is_closed_is_told_and_does_not_count(files: Store) -> None:
    name = run(LIVES_ON, files).stdout.strip()
    experiment = files.get_experiment(name)
    for _ in range(2):
        (fault,) = files.verify(name)
        assert (fault.kind, asked(files, experiment)) == ("late", [0])
        files.rebuild()


def test_a_fork_that_leaves_the_block_does_not_close_it(files: Store) -> None:
    done = run(FORK_LEAVES, files)
    found = files.get_experiment(done.stdout.strip())
    assert (found.status, found.trials) == ("done", 6)
    assert done.stderr.count("recorded") == 1


def test_a_burst_of_3000_calls_on_8_threads_is_kept_whole(files: Store) -> None:
    found = files.get_experiment(run(BURST, files).stdout.strip())
    assert sorted(asked(files, found)) == list(range(3000))
    assert found.details["calls"] == 3000
    assert found.details["lost"] == 0
    assert found.tokens == 6000


def test_one_that_lives_is_running_and_one_that_is_killed_is_not(
    files: Store,
) -> None:
    command = [sys.executable, "-W", "ignore", "-c", OPEN, files.url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        name = child.stdout.readline().decode().strip()
        assert files.get_experiment(name).status == "running"
        assert files.recover() == []
        child.kill()
        child.wait()
    assert files.get_experiment(name).status == "interrupted"
    (closed,) = files.recover()
    assert (closed.id, closed.trials) == (name, 3)
    assert files.get_experiment(name) == closed


@pytest.fixture
def small_disk(project: Path) -> Iterator[Path]:
    """A disk of 256 kilobytes."""
    disk = project / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no disk can be made here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def lost_lines(stderr: str) -> int:
    found = re.search(r"(\d+) of its lines were lost: (No space|File too large)", stderr)
    assert found is not None, stderr
    return int(found[1])


def assert_only_what_was_counted_is_lost(store: Store, lost: int, calls: int) -> None:
    """Each call has six lines: two of its module, two of its model, one each of its adapter's."""
    (experiment,) = store.query_experiments()
    journal = next(Path(store.url[5:]).rglob("journal-*.jsonl"))
    lines = journal.read_bytes().splitlines()
    assert all(json.loads(line) for line in lines), "a torn line was left behind"
    kinds = Counter(json.loads(line)["type"] for line in lines)
    written = kinds["begin"] + kinds["end"] + kinds["event"]
    assert 0 < lost < calls * 6
    assert written + lost == calls * 6
    assert experiment.trials > 0


def test_a_full_disk_does_not_stop_the_program_and_the_loss_is_counted_and_told_once(
    small_disk: Path,
) -> None:
    store = open_store(f"file:{small_disk / 'results'}")
    done = run(STARVED, store, 200)
    assert done.stdout == "the program went on\n"
    assert done.stderr.count("is incomplete: No space left on device; the program continues") == 1
    assert "recorded but not archived" in done.stderr
    assert "Traceback" not in done.stderr
    (experiment,) = store.query_experiments()
    assert experiment.status == "interrupted"
    assert experiment.trials > 10


def test_a_file_that_may_not_grow_is_cut_at_a_whole_line(files: Store) -> None:
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))\n"
    done = run(limited + STARVED, files, 200)
    assert done.stdout == "the program went on\n"
    assert done.stderr.count("is incomplete: File too large; the program continues") == 1
    assert_only_what_was_counted_is_lost(files, lost_lines(done.stderr), 200)
    (experiment,) = files.query_experiments()
    assert files.verify(experiment.id) == []
    assert experiment.details["lost"] == lost_lines(done.stderr)
