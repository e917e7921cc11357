"""Processes that are killed at any moment, also while they archive, four at a time."""

import json
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.results import Store, open_store
from dspy_profiles.results.store.sql._store import SqlStore
from dspy_profiles.results.store.sql._tables import METADATA

# Each child records one small experiment after the other and tells of what it has been told is
# kept. It is killed when it has told of so much, and a moment later at that.
KILLED = """
import json, os, random, select, signal, sys, threading, time
from dspy_profiles.results.recording import ExperimentWriter as Book
from dspy_profiles.results import open_store

url, rounds, at_once = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
store = open_store(url)

def tell(out, **said):
    os.write(out, json.dumps(said).encode() + b"\\n")

def trials(book, thread, out):
    for number in range(thread * 20, thread * 20 + 20, 5):
        trial = book.lines.trial("call", f"trial {number}", None, {"question": number}, {})
        for event in range(number, number + 5):
            said = {"action": "x" * 5000 if event % 10 == 0 else "try", "number": event}
            book.lines.point("decision", "try", None, trial, said)
            tell(out, experiment=book.id, event=event)
        book.lines.trial_end(trial, "done", outputs={"answer": number}, score=0.5)

def work(out):
    while True:
        book = Book(store, "killed")
        book.title(None)
        threads = [threading.Thread(target=trials, args=(book, n, out)) for n in range(2)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        if book.close("done") is not None:
            tell(out, archived=book.id)

class Child:
    def __init__(self, chance):
        self.told, self.wanted = b"", chance.randrange(1, 40)
        self.into, out = os.pipe()
        self.process = os.fork()
        if self.process == 0:
            work(out)
        os.close(out)

    def hear(self):
        self.told += os.read(self.into, 4096)
        return self.told.count(b"\\n") >= self.wanted

    def kill(self):
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        while more := os.read(self.into, 65536):
            self.told += more
        os.close(self.into)
        os.write(1, self.told[: self.told.rfind(b"\\n") + 1])  # what was cut off was never told

for turn in range(rounds):
    chance = random.Random(turn)
    living = {child.into: child for child in (Child(chance) for _ in range(at_once))}
    while living:
        for ready in select.select(list(living), [], [])[0]:
            if living[ready].hear():
                time.sleep(chance.random() / 30)
                living.pop(ready).kill()
"""


@dataclass
class Told:
    """What the killed ones were told is kept."""

    archived: set[str] = field(default_factory=set)
    events: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))


def kill(url: str, rounds: int, at_once: int = 4) -> Told:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, url, str(rounds), str(at_once)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    told = Told()
    for line in map(json.loads, done.stdout.splitlines()):
        if "archived" in line:
            told.archived.add(line["archived"])
        else:
            told.events[line["experiment"]].add(line["event"])
    return told


def answers(store: Store) -> Any:
    found = store.query_experiments()
    return [(e, store.query_trials(e.id), store.events(e.id)) for e in found]


def forget(store: Store) -> None:
    """Take away all that can be made of the journals: the database, or the documents."""
    root: Path = store.storage.root  # type: ignore[attr-defined]
    if isinstance(store, SqlStore):
        with store._database._engine.begin() as connection:
            METADATA.drop_all(connection)
            connection.exec_driver_sql("DROP TABLE IF EXISTS dspy_words")
    else:
        for made in (*root.rglob("experiment.json"), *root.rglob("trials.jsonl")):
            made.unlink()


@pytest.mark.slow
def test_a_hundred_killed_processes_lose_nothing_that_they_were_told_is_kept(
    lasting_url: str,
) -> None:
    told = kill(lasting_url, rounds=25)
    store = open_store(lasting_url)
    here = {each.id: each for each in store.query_experiments()}
    assert told.archived <= {name for name, each in here.items() if each.status == "done"}

    closed = store.recover()
    assert closed, "nobody was killed while it recorded"
    assert store.recover() == []
    before = answers(store)
    assert {e.id for e, _, _ in before} == set(here) >= set(told.events)
    for experiment, _, events in before:
        kept = Counter(event.attributes["number"] for event in events)
        assert told.events[experiment.id] <= set(kept)
        assert set(kept.values()) <= {1}, "something is there twice"
        assert store.verify(experiment.id) == []

    assert store.rebuild() == len(before)
    assert answers(store) == before
    forget(store)
    again = open_store(lasting_url)
    assert again.rebuild() == len(before)
    assert answers(again) == before
    if isinstance(again, SqlStore):
        shutil.rmtree(again.storage.root)  # type: ignore[attr-defined]
        assert answers(open_store(lasting_url)) == before
