"""Damaged and hostile files by the thousand: every reader raises errors of ours, or none."""

import io
import json
import marshal
import re
import shutil
import zipfile
from binascii import crc32
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import dspy
import orjson
import pytest
from dspy.utils import DummyLM

from dspy_profiles.calls import Call, Refused
from dspy_profiles.calls.cassettes import (
    Cassette,
    LastRun,
    NotAsked,
    Player,
    describe,
    prune,
    read_last_run,
    scan,
    write_last_run,
)
from dspy_profiles.config import SESSION_VARIABLE, locate
from dspy_profiles.errors import ProfileError
from dspy_profiles.profiles import list_profiles, resolve
from dspy_profiles.results import Store, load_examples, open_store, record
from dspy_profiles.results.compare import diff_experiments
from dspy_profiles.results.export import as_csv, export_bundle, extract, import_bundle
from dspy_profiles.results.journal import JournalReader
from dspy_profiles.results.journal import _archive as archive
from dspy_profiles.results.journal._assemble import assemble, stream
from dspy_profiles.results.journal._base import MemoryStorage
from dspy_profiles.results.journal._read import content_of
from dspy_profiles.results.views import view_experiment, view_list, view_trial
from dspy_profiles.run import _refusals as refusals
from dspy_profiles.run.session import Session
from dspy_profiles.schema import _cache as cache
from dspy_profiles.secrets import names_in_files

NUMBERS = count()
HOSTILE: tuple[bytes, ...] = (
    *(
        b"1e999",
        b"-1",
        b"0",
        b"-1e308",
        b"1e308",
        b"9" * 30,
        b"9" * 5000,
        b"NaN",
        b"18446744073709551615",
    ),
    *(b"null", b"true", b"[]", b"{}", b'""', b"3", b"0.5", b"[[]]", b'{"a":{}}'),
    *(b'"../../x"', b'"/dev/zero"', b'"/etc/passwd"', b'"a\\u0000b"', b'"\\ud800"', b'"\xff"'),
    *(b'"journal-1.jsonl"', b'"' + b"n" * 5000 + b'"', b'"\\u001b[31m"', b'"running"'),
    *(b'"99999-01-01T00:00:00Z"', b'"9999-12-31T23:59:59-14:00"', b'"0001-01-01T00:00:00+14:00"'),
    *(b"[" * 300 + b"]" * 300, b'{"a":' * 150 + b"1" + b"}" * 150, b"[" * 1500 + b"]" * 1500),
    *(b'{"$blob":"../../../etc/passwd","size":1}', b'{"$table":{"$table":3}}', b'{"$text":[3]}'),
    *(b'{"$int":"x"}', b'{"$float":[]}', b'{"$dict":3}', b'{"$text":"ab"}', b'{"$pairs":[[{},1]]}'),
)
# A string with its quotes, a number, or a word of JSON.
VALUE = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|\{\}|\[\]')


def changed(random: Random, seed: bytes, other: bytes) -> bytes:
    """Return the file after one to three changes."""
    data = seed
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        data = random.choice(CHANGES)(random, data, other)
    return data


def _flip(random: Random, data: bytes, _: bytes) -> bytes:
    changed = bytearray(data)
    for _n in range(random.randint(1, 4) if changed else 0):
        changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


def _cut(random: Random, data: bytes, _: bytes) -> bytes:
    start, end = _stretch(random, data)
    return data[:start] + data[end:] if random.random() < 0.5 else data[:end]


def _repeat(random: Random, data: bytes, _: bytes) -> bytes:
    start, end = _stretch(random, data)
    return data[:end] + data[start:end] * random.randint(1, 3) + data[end:]


def _splice(random: Random, data: bytes, other: bytes) -> bytes:
    start, end = _stretch(random, data)
    first, last = _stretch(random, other)
    return data[:start] + other[first:last] + data[end:]


def _swap(random: Random, data: bytes, _: bytes) -> bytes:
    """Put another value, of another type, in the place of one."""
    values = list(VALUE.finditer(data))
    if not values:
        return data
    old = random.choice(values)
    new = random.choice(HOSTILE) if random.random() < 0.8 else random.choice(values)[0]
    return data[: old.start()] + new + data[old.end() :]


def _lines(random: Random, data: bytes, _: bytes) -> bytes:
    """Put a line elsewhere, or twice, or remove it."""
    lines = data.splitlines(keepends=True)
    if not lines:
        return data
    line = lines.pop(random.randrange(len(lines)))
    for _n in range(random.randrange(3)):
        lines.insert(random.randint(0, len(lines)), line)
    return b"".join(lines)


CHANGES = (_flip, _cut, _repeat, _splice, _swap, _swap, _swap, _swap, _lines)


def _stretch(random: Random, data: bytes) -> tuple[int, int]:
    start = random.randint(0, len(data))
    return start, min(len(data), start + random.choice((1, 2, 8, 64, 512)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, str]:
    """A store with one experiment of everything that is recorded, and its id."""
    store = open_store(f"file:{tmp_path_factory.mktemp('seed') / 'results'}")
    program = dspy.Predict("question -> answer")
    devset = [dspy.Example(question=f"q{n}", answer="a").with_inputs("question") for n in range(2)]
    with (
        dspy.context(lm=DummyLM([{"answer": "a"}] * 9), callbacks=[]),
        record("a run", hypothesis="it works", store=store) as exp,
    ):
        dspy.Evaluate(devset=devset, metric=lambda *_: 0.5, num_threads=1)(program)
        exp.decision(strategy="wait", rationale="a long text " * 1000)
        exp.score("quality", 0.5)
    return store, exp.id


class Folder:
    """A copy of the experiment, one file of which is replaced for each input."""

    def __init__(self, made: tuple[Store, str], folder: Path) -> None:
        source, self.id = made
        shutil.copytree(source.url.removeprefix("file:"), folder)
        self.store = open_store(f"file:{folder}")
        self.folder = folder / "experiments" / self.id
        self.journal = next(self.folder.glob("journal-*"))

    def put(self, path: Path, data: bytes) -> None:
        path.unlink(missing_ok=True)
        path.write_bytes(data)

    def remove(self, *names: str) -> None:
        for name in names:
            (self.folder / name).unlink(missing_ok=True)

    def ask(self, *, deeply: bool = False) -> None:
        """Ask all that a command asks."""
        steps: list[Callable[[], Any]] = [
            lambda: str(view_list(self.store.query_experiments())),
            lambda: self.store.query_trials(self.id),
            lambda: self.store.events(self.id),
            lambda: self.store.verify(self.id),
        ]
        if deeply:
            steps += [
                lambda: str(view_experiment(self.id, self.store)),
                lambda: view_experiment(self.id, self.store).html(),
                lambda: str(view_trial(self.id, 1, self.store)),
                lambda: self.store.query_experiments(text="wait"),
                lambda: as_csv(self.id, self.store),
                lambda: extract(self.store.get_experiment(self.id), self.store, ()),
                lambda: diff_experiments(self.id, self.id, self.store),
                lambda: export_bundle(self.id, self.store, io.BytesIO()),
                lambda: JournalReader(self.store, self.id).read(),
            ]
        for step in steps:
            survives(step)


def suppressed(step: Callable[[bytes], object], data: bytes) -> None:
    """Have a step raise nothing but ValueError, which the one around it reports."""
    with suppress(ValueError):
        step(data)


def survives(step: Callable[[], object]) -> None:
    with suppress(ProfileError, Refused):
        step()


def fuzz(
    name: str, number: int, seeds: list[bytes], read: Callable[[Random, bytes], object]
) -> None:
    """Have a reader read this many damaged copies of real files."""
    random = Random(name)
    for at in range(number):
        data = changed(random, random.choice(seeds), random.choice(seeds))
        try:
            survives(lambda data=data: read(random, data))  # type: ignore[misc]
        except BaseException as error:
            error.add_note(f"{name}, input {at}: {data[:3000]!r}")
            raise
    print(f"{name}: {number:,} inputs")  # noqa: T201 - the counts are what a run shows


def resealed(folder: Folder) -> None:
    """Have the seal and the summary fit the journal, as one who wants to deceive would."""
    data = folder.journal.read_bytes()
    seal = json.loads((folder.folder / "seal.json").read_text())
    seal["journals"] = {
        folder.journal.name: {"size": len(data), "sha256": sha256(data).hexdigest()}
    }
    folder.put(folder.folder / "seal.json", json.dumps(seal).encode())


@pytest.mark.slow
class TestResults:
    @pytest.fixture
    def folder(self, made: tuple[Store, str], tmp_path: Path) -> Folder:
        return Folder(made, tmp_path / "results")

    def test_lines_of_journals(self, folder: Folder) -> None:
        seeds = folder.journal.read_bytes().splitlines(keepends=True)
        fuzz("lines of journals", 30_000, seeds, lambda _, data: suppressed(content_of, data))

    def test_journals(self, folder: Folder) -> None:
        lines = folder.journal.read_bytes().splitlines(keepends=True)

        def read(_: Random, data: bytes) -> None:
            storage = MemoryStorage()
            storage.adopt(folder.id, "journal-0.jsonl", iter([data]))
            made = assemble(storage, folder.id, None)
            for one in (made.experiment, *made.trials, *stream(storage, folder.id, None, "done")):
                orjson.dumps(one.to_json())

        fuzz("journals", 15_000, [b"".join(lines[at : at + 12]) for at in range(6)], read)

    def test_journals_in_files(self, folder: Folder) -> None:
        """All commands read them, first without a seal, then with one that fits."""
        seed = folder.journal.read_bytes()

        def read_sealed(_: Random, data: bytes) -> None:
            folder.put(folder.journal, data)
            resealed(folder)
            survives(folder.store.rebuild)
            folder.ask(deeply=True)

        def read(_: Random, data: bytes) -> None:
            folder.put(folder.journal, data)
            folder.ask(deeply=True)

        fuzz("sealed journals in files", 200, [seed], read_sealed)
        folder.remove("seal.json", "experiment.json", "trials.jsonl")
        fuzz("open journals in files", 300, [seed], read)

    @pytest.mark.parametrize("name", ["seal.json", "experiment.json", "trials.jsonl"])
    def test_documents(self, folder: Folder, name: str) -> None:
        seed = (folder.folder / name).read_bytes()
        storage = MemoryStorage()

        def read(_: Random, data: bytes) -> None:
            storage.put_document(folder.id, name, data)
            archive.seal_of(storage, folder.id)
            archive.summary(storage, folder.id)
            list(archive.trials(storage, folder.id))

        def read_all(_: Random, data: bytes) -> None:
            folder.put(folder.folder / name, data)
            folder.ask(deeply=True)

        fuzz(name, 8_000, [seed], read)
        fuzz(f"{name} in files", 300, [seed], read_all)

    def test_long_texts(self, folder: Folder) -> None:
        (path,) = (each for each in folder.folder.parents[1].glob("blobs/*/*"))
        seed = path.read_bytes()

        def read(_: Random, data: bytes) -> None:
            folder.put(path, data)
            survives(lambda: folder.store.events(folder.id))

        fuzz("long texts", 1_000, [seed], read)

    def test_bundles(self, made: tuple[Store, str], tmp_path: Path) -> None:
        store, name = made
        path = tmp_path / "run.zip"
        with path.open("wb") as file:
            export_bundle(name, store, file)
        seed = path.read_bytes()
        target = open_store(f"memory:fuzz{next(NUMBERS)}")

        def read(_: Random, data: bytes) -> None:
            path.write_bytes(data)
            import_bundle(path, target)

        fuzz("bundles", 3_000, [seed], read)

    def test_files_in_bundles(self, made: tuple[Store, str], tmp_path: Path) -> None:
        """The manifest has the right hashes of what was changed."""
        store, name = made
        file = io.BytesIO()
        export_bundle(name, store, file)
        with zipfile.ZipFile(file) as packed:
            files = {each: packed.read(each) for each in packed.namelist()}
        path = tmp_path / "run.zip"
        manifest = json.loads(files.pop("manifest.json"))
        for which in (*files, "manifest.json"):
            seed = files.get(which) or json.dumps(manifest).encode()

            def read(_: Random, data: bytes, which: str = which) -> None:
                inner = {**files, which: data} if which in files else files
                about = {
                    each: {"size": len(text), "sha256": sha256(text).hexdigest()}
                    for each, text in inner.items()
                }
                text = json.dumps({**manifest, "files": about}).encode()
                with zipfile.ZipFile(path, "w") as packed:
                    packed.writestr("manifest.json", text if which in files else data)
                    for each, content in inner.items():
                        packed.writestr(each, content)
                import_bundle(path, open_store(f"memory:fuzz{next(NUMBERS)}"))

            fuzz(f"{which[:9]} in bundles", 30, [seed], read)

    def test_rows_of_databases(self, made: tuple[Store, str], tmp_path: Path) -> None:
        import sqlite3

        store, name = made
        other = open_store(f"sqlite:{tmp_path / 'results.db'}")
        other.archive_experiment(SealedElsewhere(name, store))
        with sqlite3.connect(tmp_path / "results.db") as database:
            for (trigger,) in database.execute(
                "SELECT name FROM sqlite_master WHERE type='trigger'"
            ).fetchall():
                database.execute(f"DROP TRIGGER {trigger}")
            for column, table in (
                ("record", "dspy_experiments"),
                ("record", "dspy_trials"),
                ("attributes", "dspy_events"),
                ("data", "dspy_pieces"),
            ):
                (seed,) = database.execute(f"SELECT {column} FROM {table}").fetchone()
                seed_bytes = seed if isinstance(seed, bytes) else seed.encode()

                def read(
                    random: Random, data: bytes, column: str = column, table: str = table
                ) -> None:
                    value: Any = random.choice(
                        (data, data.decode(errors="replace"), data.decode(errors="replace"))
                    )
                    database.execute(f"UPDATE {table} SET {column} = ?", (value,))
                    database.commit()
                    for step in (
                        other.query_experiments,
                        lambda: other.query_trials(name),
                        lambda: other.events(name),
                        lambda: other.verify(name),
                    ):
                        survives(step)

                fuzz(f"{column} of {table}", 60, [seed_bytes], read)
                database.execute(f"UPDATE {table} SET {column} = ?", (seed,))
                database.commit()

    def test_examples(self, tmp_path: Path) -> None:
        row = {
            "v": 1,
            "labels": {"answer": {"$float": "nan"}, "b": {"$bytes": "aGk="}},
            "inputs": {"question": {"$pairs": [[1, 2]]}, "n": {"$int": "7"}},
        }
        path = tmp_path / "examples.jsonl"

        def read(_: Random, data: bytes) -> None:
            path.write_bytes(data)
            load_examples(path)

        fuzz("examples", 8_000, [json.dumps(row).encode() + b"\n"], read)


class SealedElsewhere:
    """An experiment and its store, for another one to take over."""

    def __init__(self, id: str, store: Store) -> None:  # noqa: A002
        self.id = id
        self.store = store


CASSETTE = Path(__file__).with_name("cassette.jsonl")


@pytest.mark.slow
class TestCassettes:
    def test_cassettes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        path, lm = tmp_path / "x.jsonl", dspy.LM("openai/x", api_key="none")

        def read(random: Random, data: bytes) -> None:
            path.write_bytes(data)
            survives(lambda: scan(path))
            survives(lambda: describe(path))
            cassette = Cassette(path)
            cassette.miss(
                "lm", {"model": "m", "messages": [{"role": "user", "content": "hi"}]}, "k", 0
            )
            player = Player(cassette)
            for entry in cassette.unused:
                call = Call(entry.kind, "m", lm, streamed=random.random() < 0.3)  # type: ignore[arg-type]
                for place in range(min(entry.count, 3)):
                    survives(lambda e=entry, p=place, c=call: player._replayed(c, e, p))  # type: ignore[misc]
            if random.random() < 0.05:
                prune(path, {"0"})

        seed = CASSETTE.read_bytes()
        header, *lines = seed.splitlines(keepends=True)
        short = [header + b"".join(lines[at : at + 2]) for at in range(0, len(lines), 2)]
        fuzz("cassettes", 1_000, [seed], read)
        fuzz("short cassettes", 10_000, short, read)

    def test_records_of_the_last_run(self, tmp_path: Path) -> None:
        run = LastRun(("/a/b.jsonl",), {"/a/c.jsonl": NotAsked(["k"], ["model", "messages"])})
        write_last_run(tmp_path, run)
        path = tmp_path / ".dspy/cassettes.json"

        def read(_: Random, data: bytes) -> None:
            path.write_bytes(data)
            last = read_last_run(tmp_path)
            for name in () if last is None else (*last.files, *last.requests):
                Path(name).resolve()

        fuzz("cassettes.json", 10_000, [path.read_bytes()], read)


@pytest.mark.slow
class TestOtherFiles:
    def test_sessions(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        session = Session(tmp_path, None, False, "dev", "from --profile", {"lm.model": "x"})

        def read(_: Random, data: bytes) -> None:
            text = data.replace(b"\0", b"").decode(errors="surrogateescape")
            monkeypatch.setenv(SESSION_VARIABLE, text)
            survives(locate)
            Session.from_text(text)

        fuzz("sessions", 10_000, [session.to_text().encode()], read)

    def test_profiles(self, project: Path) -> None:
        path = project / "profiles.toml"
        seed = b"""
[dev]
extends = "mock"
lm.model = "dev"
lm.temperature = 0.5
lm.api_key = "${A_KEY}"
settings = {track_usage = true}
[dev.env]
NAME = "value"
[[dev.list]]
when = 2026-01-01T00:00:00Z
[other]
extends = ["dev", "mock"]
budget = {calls = 3, usd = 0.5}
adapter = "chat"
"""

        def read(_: Random, data: bytes) -> None:
            path.write_bytes(data)
            survives(list_profiles)
            survives(lambda: resolve("dev"))
            resolve("other")

        fuzz("profiles", 2_000, [seed], read)

    def test_env_files(self, project: Path) -> None:
        path = project / ".env"
        seed = b"export A='one'\nB=\"two\\nlines ${A}\"\n# no\nC = 3 # three\nD=${E:-x}\n"

        def read(_: Random, data: bytes) -> None:
            path.write_bytes(data)
            names_in_files([path])

        fuzz(".env files", 4_000, [seed], read)

    def test_reports_of_refused_calls(self, tmp_path: Path) -> None:
        path = tmp_path / "report.jsonl"
        seed = b'{"error": "budget reached", "shown": true}\n{"error": "blocked", "shown": false}\n'

        def read(_: Random, data: bytes) -> None:
            path.write_bytes(data)
            refusals.exit_code(path, 0)

        fuzz("reports", 5_000, [seed], read)

    def test_caches(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """With the right checksum, but not with damaged byte code, which Python trusts as we do."""
        path = tmp_path / "cache.bin"
        monkeypatch.setattr(cache, "_file", lambda _root: str(path))
        values = [
            "root",
            3,
            None,
            [],
            {},
            {"version": "1", "open": False},
            ["a", 1, 2],
            [["a", 1, 2]],
        ]

        def read(random: Random, data: bytes) -> None:
            body = marshal.dumps(random.choices(values, k=random.choice((1, 2, 3, 3, 3))))
            path.write_bytes(
                random.choice((data, cache._MAGIC + crc32(body).to_bytes(4, "big") + body))
            )
            cache._load("root")

        fuzz("caches", 5_000, [cache._MAGIC + b"1234" + marshal.dumps(("root", [], {}))], read)
