"""Asking for experiments where there are many: 1,000 of them, with 1,000,000 events."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import orjson

from benchmarks.measuring import Row
from benchmarks.postgresql import server
from dspy_profiles.results.journal import _archive as archive
from dspy_profiles.results.journal._folder import FolderStorage
from dspy_profiles.results.recording import new_id
from dspy_profiles.results.store import Store, open_store

EXPERIMENTS = 1000
TRIALS = 100  # of each experiment
EVENTS = 10  # of each trial
ROUNDS = 15
BARS = {  # in seconds
    "list of 1,000 experiments": 0.2,
    "the latest 20 of them": 0.2,
    "events of one of 100,000 trials": 0.1,
}
WHEN = "2026-01-01T00:00:00.{:06}Z"


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, server() as address:
        before = Path.cwd()
        os.chdir(folder)  # the journals of a database on a server lie in the project
        try:
            return _rows(Path(folder), address)
        finally:
            os.chdir(before)


def _rows(folder: Path, address: str | None) -> list[Row]:
    Path(folder, ".git").mkdir()
    files = f"file:{folder / 'results'}"
    databases = [f"sqlite:{folder / 'results.db'}", *([] if address is None else [address])]
    start = time.perf_counter()
    with ProcessPoolExecutor() as pool:
        list(pool.map(_make, [str(folder / "results")] * EXPERIMENTS, chunksize=20))
        _say(f"{EXPERIMENTS * TRIALS * EVENTS:,} events in files: {_since(start)}")
        for url, seconds in pool.map(_archive, databases, [str(folder / "results")] * 2):
            _say(f"archived in {url.partition(':')[0]}: {seconds:.0f} s")
    theirs, _ = _measured(files, with_words=False)
    rows = []
    for url in databases:
        kind = url.partition(":")[0]
        ours, by_words = _measured(url, with_words=True)
        _say(f"{kind}: experiments by words of one of their events: {by_words * 1e3:.0f} ms")
        for (name, bar), seconds, compared in zip(BARS.items(), ours, theirs, strict=True):
            rows.append(Row(f"{kind}: {name}", seconds, "file:", compared, bar, "seconds"))
    return rows


def _make(root: str) -> None:
    """One closed experiment, as a program that was recorded leaves it."""
    storage, name = FolderStorage(Path(root)), new_id()
    storage.adopt(name, "journal-1-0.jsonl", _lines(name))
    archive.seal(storage, name, "done", ended=WHEN.format(999_999))
    seal = archive.seal_of(storage, name)
    assert seal is not None
    archive.write(storage, name, seal)


def _lines(name: str) -> Iterator[bytes]:
    def line(type_: str, **more: object) -> bytes:
        return orjson.dumps({"type": type_, **more}, option=orjson.OPT_APPEND_NEWLINE)

    yield line("journal", v=1, experiment=name, pid=1, started=WHEN.format(0))
    yield line("experiment", v=1, id=name, name="run", program="QA", started=WHEN.format(0))
    for number in range(TRIALS):
        trial, root = new_id(), None
        for turn in range(EVENTS):
            event, when = new_id(), WHEN.format(number * 1000 + turn)
            begun: dict[str, object] = {"id": event, "trial": trial, "started": when}
            begun |= {"opens": {"kind": "call"}} if root is None else {"parent": root}
            root = root or event
            question = f"What is the capital of country {number}, and why? {name[:13]}"
            said = {"outputs": {"answer": f"Paris, for the {turn}th time, and for many reasons"}}
            asked = {"inputs": {"question": question}}
            yield line("begin", **begun, kind="module", name="Predict", attributes=asked)
            yield line("end", id=event, trial=trial, ended=when, status="done", attributes=said)


def _archive(url: str, root: str) -> tuple[str, float]:
    """The same experiments in a database: what `recover` does with closed ones."""
    with open_store(url) as store:
        assert isinstance(store.storage, FolderStorage)
        shutil.copytree(root, store.storage.root, copy_function=os.link)
        start = time.perf_counter()
        store.recover()
        return url, time.perf_counter() - start


def _measured(url: str, *, with_words: bool) -> tuple[list[float], float]:
    """Seconds of each inquiry, the store opened for it as a command does."""
    with open_store(url) as store:
        found = store.query_experiments()
        assert len(found) == EXPERIMENTS
        one = found[EXPERIMENTS // 2].id
        trial = store.query_trials(one)[TRIALS // 2].id
        assert len(store.events(one, trial)) == EVENTS
    taken = [
        _seconds(url, lambda store: store.query_experiments()),
        _seconds(url, lambda store: store.query_experiments(limit=20)),
        _seconds(url, lambda store: store.events(one, trial)),
    ]
    if not with_words:  # files would be read one after the other
        return taken, 0.0
    return taken, _seconds(url, lambda store: store.query_experiments(text=f"capital {one[:13]}"))


def _seconds(url: str, ask: Callable[[Store], object]) -> float:
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        with open_store(url) as store:
            ask(store)
        taken.append(time.perf_counter() - start)
    return min(taken)  # what else the machine does is not the store's


def _since(start: float) -> str:
    return f"{time.perf_counter() - start:.0f} s"


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
