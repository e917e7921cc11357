"""A clean DSPy, stores of every kind, and small programs to record."""

import itertools
import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dspy
import psycopg
import pytest
from filelock import FileLock
from tests.shapes import engine_lm, lm15

from dspy_profiles.results import Store, open_store

NUMBERS = itertools.count()
GUARDED = "guarded"  # members of this role have to give a password
SAID = "[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]"


@pytest.fixture(autouse=True)
def nothing_recorded(clean_dspy: None, cache_in_memory: None) -> Iterator[None]:
    """DSPy as a fresh process has it, and no recorder in it when the test is over."""
    yield
    assert dspy.settings.callbacks == [], "something is still recorded"


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL of our own. Databases are used again: each has hundreds of files."""

    folder: Path
    port: int
    clean: list[str] = field(default_factory=list)
    used: list[str] = field(default_factory=list)

    def database(self) -> str:
        """The URL of an empty database, for as long as the test lasts."""
        if not self.clean:
            name = f"t{os.getpid()}_{next(NUMBERS)}"
            with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy")
            self.clean.append(name)
        self.used.append(self.clean.pop())
        return self.url(self.used[-1])

    def tidy(self) -> None:
        """Empty what the test has used."""
        while self.used:
            name = self.used.pop()
            with psycopg.connect(self.url(name), autocommit=True) as connection:
                found = connection.execute(
                    "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)'"
                )
                for (schema,) in found.fetchall():
                    connection.execute(f"DROP SCHEMA {schema} CASCADE")
                connection.execute("CREATE SCHEMA public")
                connection.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")
            self.clean.append(name)

    def role(self) -> str:
        """The name of a new role that may log in."""
        name = f"r{os.getpid()}_{next(NUMBERS)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {name} LOGIN")
        return name

    def guard(self, role: str, password: str) -> None:
        """Let this role have to give a password."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            with suppress(psycopg.errors.DuplicateObject):
                connection.execute(f"CREATE ROLE {GUARDED}")
            connection.execute(f"ALTER ROLE {role} PASSWORD '{password}'")
            connection.execute(f"GRANT {GUARDED} TO {role}")

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"


def programs() -> Path | None:
    """The folder of initdb and pg_ctl, which Debian leaves out of the path."""
    found = shutil.which("pg_ctl")
    known = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name))
    here = [Path(found).resolve().parent] if found else []
    return next((p for p in (*known[::-1], *here) if (p / "initdb").exists()), None)


def as_nobody(command: list[str], folder: Path) -> None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    done = subprocess.run(
        command,
        cwd=folder,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout


def started(bin_: Path, folder: Path) -> int:
    """The port of a new cluster in this folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    data = str(folder / "data")
    make = ["initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
    as_nobody([str(bin_ / make[0]), *make[1:]], folder)
    rights = folder / "data" / "pg_hba.conf"  # the first line that fits counts
    rights.write_text(f"host all +{GUARDED} 127.0.0.1/32 scram-sha-256\n{rights.read_text()}")
    options = (
        f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off "
        "-c full_page_writes=off -c max_connections=200"
    )
    log = str(folder / "log")
    as_nobody([str(bin_ / "pg_ctl"), "-D", data, "-l", log, "-o", options, "-w", "start"], folder)
    return port


@pytest.fixture
def cluster(running_cluster: Cluster) -> Iterator[Cluster]:
    """What is made in it is gone with the test."""
    yield running_cluster
    running_cluster.tidy()


@pytest.fixture(scope="session")
def running_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One for all workers of a run: the first starts it, the last stops it."""
    bin_ = programs()
    if bin_ is None:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL is not installed: apt-get install postgresql")
        pytest.skip("PostgreSQL is not installed")
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    state, lock = shared / "postgresql.json", FileLock(shared / "postgresql.lock")
    with lock:
        if state.exists():
            known = json.loads(state.read_text())
        else:
            made = tempfile.mkdtemp(prefix="dspy-pg-")  # short: a socket's path has to be
            known = {"folder": made, "port": started(bin_, Path(made)), "users": 0}
        state.write_text(json.dumps({**known, "users": known["users"] + 1}))
    yield Cluster(Path(known["folder"]), known["port"])
    with lock:
        known = json.loads(state.read_text())
        state.write_text(json.dumps({**known, "users": known["users"] - 1}))
        if known["users"] == 1:
            folder = Path(known["folder"])
            stop = [str(bin_ / "pg_ctl"), "-D", str(folder / "data"), "-m", "immediate", "stop"]
            as_nobody(stop, folder)
            shutil.rmtree(folder)
            state.unlink()


def memory_url(_request: pytest.FixtureRequest, _folder: Path) -> str:
    return f"memory:{next(NUMBERS)}"


def file_url(_request: pytest.FixtureRequest, folder: Path) -> str:
    return f"file:{folder / 'results'}"


def sqlite_url(_request: pytest.FixtureRequest, folder: Path) -> str:
    return f"sqlite:{folder / 'results.db'}"


def postgresql_url(request: pytest.FixtureRequest, _folder: Path) -> str:
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.database()


# Each kind of store adds its line here, and so passes the same suite.
URLS: dict[str, Callable[[pytest.FixtureRequest, Path], str]] = {
    "memory": memory_url,
    "file": file_url,
    "sqlite": sqlite_url,
    "postgresql": postgresql_url,
}
SQL = ("sqlite", "postgresql")
LASTING = ("file", *SQL)


@pytest.fixture(params=sorted(URLS))
def url(request: pytest.FixtureRequest, project: Path) -> str:
    """The URL of an empty store, of each kind in turn."""
    return URLS[request.param](request, project)


@pytest.fixture(params=SQL)
def sql_url(request: pytest.FixtureRequest, project: Path) -> str:
    """The URL of an empty database, of each kind in turn."""
    return URLS[request.param](request, project)


@pytest.fixture(params=LASTING)
def lasting_url(request: pytest.FixtureRequest, project: Path) -> str:
    """The URL of an empty store that outlives its process, of each kind in turn."""
    return URLS[request.param](request, project)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_store(url) as opened:
        yield opened


@pytest.fixture
def memory() -> Store:
    """An empty store in memory, where one kind is enough."""
    return open_store(f"memory:{next(NUMBERS)}")


@pytest.fixture
def file_store(project: Path) -> Store:
    return open_store(f"file:{project / 'results'}")


class Engine:
    """Answers at once: with the same, or with what a function makes of the request."""

    def __init__(
        self,
        answer: Callable[[Any], str] | str = SAID,
        tokens: Callable[[Any], int] = lambda _: 10,
    ) -> None:
        self.answer = answer
        self.tokens = tokens

    def complete(self, request: Any) -> Any:
        text = self.answer if isinstance(self.answer, str) else self.answer(request)
        return lm15.Response(
            id="1",
            model="model",
            message=lm15.Message.assistant([lm15.TextPart(text)]),
            finish_reason="stop",
            usage=lm15.Usage(
                input_tokens=self.tokens(request),
                output_tokens=2,
                total_tokens=self.tokens(request) + 2,
            ),
        )


class AsyncSide:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def complete(self, request: Any) -> Any:
        return self.engine.complete(request)


@pytest.fixture
def lm_of() -> Callable[..., Any]:
    """An LM on such an engine, with both of its sides and no cache."""

    def lm_of(answer: Any = SAID, tokens: Any = lambda _: 10, **more: Any) -> Any:
        engine, more = Engine(answer, tokens), {"cache": False, **more}
        return engine_lm("own/model", engine=engine, async_engine=AsyncSide(engine), **more)

    return lm_of


@pytest.fixture
def lm(lm_of: Callable[..., Any]) -> Iterator[Any]:
    """The LM that is configured."""
    made = lm_of()
    with dspy.context(lm=made):
        yield made


class Program(dspy.Module):
    """One module around another."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.Predict("question -> answer")

    def forward(self, question: str) -> Any:
        return self.answer(question=question)

    async def aforward(self, question: str) -> Any:
        return await self.answer.acall(question=question)


@pytest.fixture
def program() -> Program:
    return Program()


@pytest.fixture
def examples() -> Callable[[int], list[Any]]:
    def examples(count: int) -> list[Any]:
        return [
            dspy.Example(question=f"question {n}", answer="Paris").with_inputs("question")
            for n in range(count)
        ]

    return examples
