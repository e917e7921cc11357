"""One file and many processes, some of them killed: it is whole at every moment."""

import json
import subprocess
import sys
from typing import Any

import pytest
import tomli

pytestmark = pytest.mark.slow

WRITER = """
import sys
from pathlib import Path
from dspy_profiles.config import editing
path, name = Path(sys.argv[1]), sys.argv[2]
sys.stdin.readline()
for number in range(50):
    with editing(path, timeout=60) as edit:
        edit.set((name, f"k{number}"), number)
"""

# Reads until its input ends; what has been there once must be there ever after.
READER = """
import sys, threading
from pathlib import Path
from dspy_profiles.config import read_toml
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set())).start()
seen = reads = 0
while not ended.is_set():
    count = sum(map(len, read_toml(Path(sys.argv[1])).data.values()))
    assert count >= seen, (count, seen)
    seen, reads = count, reads + 1
print(reads)
"""

# Forks a writer 200 times and kills it a few steps after it says that it is about to write.
KILLER = """
import json, os, random, signal, sys
from pathlib import Path
import filelock, tomlkit
from dspy_profiles.config import read_toml
from dspy_profiles.config import editing
path, rounds = Path(sys.argv[1]), 200
draft, lock = (path.with_name(f".{path.name}.{end}") for end in ("tmp", "lock"))
random = random.Random(20)
count = {"old": 0, "new": 0, "drafts": 0, "locks": 0}

def write(number, says):
    with editing(path) as edit:
        edit.set(("n",), number)
        edit.set(("pad",), str(number) * 5000)
        os.write(says, b".")

last = 0
for number in range(1, rounds + 1):
    hears, says = os.pipe()
    child = os.fork()
    if not child:
        write(number, says)
        os._exit(0)
    assert os.read(hears, 1) == b"."
    for _ in range(int(2 ** random.uniform(6, 21))):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(hears), os.close(says)
    data = read_toml(path).data
    assert data in [{"n": n, "pad": str(n) * 5000} for n in (last, number)], path.read_text()[:80]
    beside = set(path.parent.iterdir()) - {path}
    assert beside <= {draft, lock}, beside
    count["new" if data["n"] == number else "old"] += 1
    count["drafts"] += draft in beside
    count["locks"] += lock in beside
    last = data["n"]
with editing(path) as edit:
    edit.set(("n",), -1)
assert list(path.parent.iterdir()) == [path]
print(json.dumps(count))
"""


def python(script: Any, *arguments: Any) -> Any:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe, stderr=pipe)


def ended(process: Any, said: Any = None) -> Any:
    out, error = process.communicate(said, timeout=120)
    assert (process.returncode, error) == (0, "")
    return out


def test_sixteen_processes_set_fifty_keys_each_and_every_reading_is_whole(tmp_path: Any) -> None:
    path = tmp_path / "profiles.toml"
    path.write_text("# ours\n")
    reader = python(READER, path)
    writers = [python(WRITER, path, f"w{number}") for number in range(16)]
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()

    for writer in writers:
        ended(writer)

    assert int(ended(reader)) > 0
    assert tomli.loads(path.read_text()) == {
        f"w{number}": {f"k{key}": key for key in range(50)} for number in range(16)
    }
    assert path.read_text().startswith("# ours\n")
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_killed_at_any_point_leaves_the_old_file_or_the_new(tmp_path: Any) -> None:
    path = tmp_path / "profiles.toml"
    path.write_text('n = 0\npad = "' + "0" * 5000 + '"\n')

    count = json.loads(ended(python(KILLER, path)))

    assert count["old"] + count["new"] == 200
    assert count["locks"] > 0  # some of them did die in the middle
