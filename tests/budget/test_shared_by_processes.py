"""One budget and many processes: together they make exactly as many calls as it allows."""

import os
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock, Timeout

from dspy_profiles.calls.budget import Account, Tally
from dspy_profiles.calls.budget._shared_tally import Spent
from dspy_profiles.config import Limits

ENGINE = """
import os, sys, threading
from pathlib import Path
import dspy
from dspy_profiles.activation import _stages as stages
from dspy_profiles.calls.budget import Account, Budget
from dspy_profiles.calls.budget._shared_tally import Spent, Tally
from dspy_profiles.calls import Refused as Held
from dspy_profiles.config import Limits

class Engine:
    def complete(self, request):
        return dspy.lm15.Response(
            id="1", model="model", finish_reason="stop",
            message=dspy.lm15.Message.assistant([dspy.lm15.TextPart("said")]),
            usage=dspy.lm15.Usage(input_tokens=1, output_tokens=1, total_tokens=2),
        )

tally = Tally(Path(sys.argv[1]))
account = Account("this session", Limits(calls=400), tally, place=1)
stages.set_process_stages([Budget([account])])
lm = dspy.LM("own/model", engine=Engine(), cache=False)
made = []

def spend():
    while True:
        try:
            lm("Why?")
        except Held:
            return
        made.append(1)

def spend_in_threads():
    threads = [threading.Thread(target=spend) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return len(made)
"""

PROCESS = f"""{ENGINE}
print("ready", flush=True)
sys.stdin.readline()
print(spend_in_threads())
"""

FORKS = f"""{ENGINE}
lm("Why?")  # by the parent alone
for _ in range(3):
    if os.fork() == 0:
        spend_in_threads()
        os._exit(0)
spend_in_threads()
for _ in range(3):
    os.wait()
print(account.spent.calls, account.spent.tokens, account.in_flight)
"""

# A child is forked while a thread of its parent holds the file.
FORK_OF_A_HOLDER = f"""{ENGINE}
held, release = threading.Event(), threading.Event()

def hold():
    with tally.locked() as slots:
        slots[1] = Spent(calls=398)
        held.set()
        release.wait()

holder = threading.Thread(target=hold)
holder.start()
held.wait()
if (child := os.fork()) == 0:
    os._exit(spend_in_threads())
release.set()
holder.join()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), account.spent.calls)
"""


def run(script: str, tally: Tally) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, tally.path],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]


def test_four_processes_of_four_threads_make_exactly_so_many_calls(tally: Tally) -> None:
    command = [sys.executable, "-c", PROCESS, str(tally.path)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for each in processes:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in processes:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    made = [int(each.communicate(timeout=120)[0]) for each in processes]
    assert sum(made) == 400
    with tally.locked() as slots:
        assert slots[1] == Spent(400, 800, 0.0)
        assert slots[0] == Spent()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_forked_children_share_it_with_their_parent(tally: Tally) -> None:
    assert run(FORKS, tally) == [400, 800, 0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_that_is_forked_while_the_file_is_held_only_waits(tally: Tally) -> None:
    assert run(FORK_OF_A_HOLDER, tally) == [2, 400]


def test_calls_of_other_processes_are_told_apart(tally: Tally) -> None:
    account = Account("this session", Limits(calls=3), tally)
    with tally.locked() as slots:
        slots[0] = Spent(calls=3)
    account.models["own/model"] = 1
    refused = account.refusal(account.spent, "own/model")
    assert refused is not None
    assert "3 calls (own/model 1, 2 in other processes), 0 tokens" in str(refused)


def test_each_place_has_its_own_sum_and_an_untouched_one_is_empty(tally: Tally) -> None:
    with tally.locked() as slots:
        slots[2] = Spent(1, 2, 0.5)
        slots[0] = Spent(3, 4, 0.25)
        assert [slots[place] for place in range(4)] == [
            Spent(3, 4, 0.25),
            Spent(),
            Spent(1, 2, 0.5),
            Spent(),
        ]


def test_another_process_reads_what_was_written(project: Path) -> None:
    first, second = Tally(project / "t"), Tally(project / "t")
    with first.locked() as slots:
        slots[1] = Spent(2**40, 2**41, 1.25)
    with second.locked() as slots:
        assert slots[1] == Spent(2**40, 2**41, 1.25)
    first.close()
    second.close()


def test_a_half_written_sum_counts_as_none(project: Path, tally: Tally) -> None:
    tally.path.write_bytes(struct.pack("<Q", 7))
    with tally.locked() as slots:
        assert slots[0] == Spent()


def test_the_file_is_open_again_after_an_error(tally: Tally) -> None:
    def broken() -> None:
        with tally.locked():
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        broken()
    code = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    if sys.platform != "win32":
        subprocess.run([sys.executable, "-c", code, tally.path], check=True)


def test_where_the_system_has_no_record_locks_a_lock_file_keeps_others_out(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    made, others = Tally(project / "t"), FileLock(project / "t.lock")
    with made.locked() as slots:
        slots[0] = Spent(calls=1)
        with pytest.raises(Timeout):
            others.acquire(timeout=0)
    others.acquire(timeout=0)
    others.release()
    with made.locked() as slots:
        assert slots[0] == Spent(calls=1)
    made.close()


@pytest.mark.skipif(sys.platform == "win32", reason="modes are of other systems")
def test_only_its_user_may_read_it(tally: Tally) -> None:
    assert tally.path.stat().st_mode & 0o777 == 0o600


def test_an_account_without_a_file_is_of_this_process(lm: Any) -> None:
    account = Account("this test", Limits(calls=1))
    account.write(None, Spent(1, 2, 3.0))
    assert account.spent == account.read(None) == Spent(1, 2, 3.0)


def test_threads_share_it_without_a_budget_around_it(tally: Tally) -> None:
    def add() -> None:
        for _ in range(200):
            with tally.locked() as slots:
                slots[1] = slots[1]._replace(calls=slots[1].calls + 1)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # they take turns at every step
    try:
        threads = [threading.Thread(target=add) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    finally:
        sys.setswitchinterval(before)
    with tally.locked() as slots:
        assert slots[1] == Spent(calls=800)
