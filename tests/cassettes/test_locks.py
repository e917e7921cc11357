"""Each cassette has a lock of its own, which a fork leaves open and nothing keeps alive."""

import gc
import os
import subprocess
import sys
import threading
import weakref
from typing import Any

import pytest

from dspy_profiles.calls.cassettes import Cassette

FORKS = """
import os, threading
from dspy_profiles.calls.cassettes import Cassette

cassette, held, over = Cassette("c.jsonl", "new"), threading.Event(), threading.Event()

def hold():
    with cassette._lock:
        held.set()
        over.wait()

holder = threading.Thread(target=hold)
holder.start()
held.wait()
if (child := os.fork()) == 0:
    cassette.take("key")
    os._exit(0)
status = os.waitpid(child, 0)[1]
over.set()
holder.join()
raise SystemExit(os.waitstatus_to_exitcode(status))
"""


def test_a_cassette_does_not_wait_for_another(path: Any) -> None:
    held, other = Cassette(path, "new"), Cassette(path, "new")
    taken = threading.Thread(target=other.take, args=("key",))
    with held._lock:
        taken.start()
        taken.join(timeout=60)
        assert not taken.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_that_is_forked_while_a_thread_holds_it_starts_with_an_open_one(
    tmp_path: Any,
) -> None:
    words = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKS]
    assert subprocess.run(words, cwd=tmp_path, timeout=60, check=False).returncode == 0


def test_a_lock_goes_with_its_cassette(path: Any) -> None:
    gone = weakref.ref(Cassette(path, "new")._lock)
    gc.collect()
    assert gone() is None
