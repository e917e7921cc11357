"""Addresses of databases, their passwords, and what cannot be opened."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dspy_profiles.errors import MissingSecret, StoreError
from dspy_profiles.results import Store, open_store, record
from dspy_profiles.results.journal._folder import FolderStorage
from dspy_profiles.results.recording import ExperimentWriter
from dspy_profiles.results.store.sql import _search as search
from dspy_profiles.secrets import redact

Write = Callable[[Path | str, str], Path]
PASSWORD = "can/ary:p@ss%20 wörd"


@pytest.fixture
def account(cluster: Any) -> Any:
    """A URL's host and database, for somebody who has to give a password."""
    url = cluster.database()
    name = cluster.role()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"GRANT ALL ON SCHEMA public TO {name}")
    return url.replace("postgres@", f"{name}@")


@pytest.fixture
def guarded(account: str, cluster: Any) -> str:
    """The same, where the server asks for the password "right"."""
    cluster.guard(account.partition("//")[2].partition("@")[0], "right")
    return account


def journals(store: Store) -> Path:
    assert isinstance(store.storage, FolderStorage)
    return store.storage.root


def with_password(url: str, password: str) -> str:
    return url.replace("@", f":{password}@")


def test_a_relative_file_starts_at_the_working_directory(project: Path) -> None:
    store = open_store("sqlite:sub/results.db")
    assert store.url == f"sqlite:{project}/sub/results.db"
    assert journals(store) == project / "sub" / "results.db.journals"
    with record("a run", store=store):
        pass
    assert (project / "sub" / "results.db").exists()


def test_one_in_a_settings_file_starts_there(project: Path, write: Write) -> None:
    write("pyproject.toml", '[tool.dspy-profiles]\nstore = "sqlite:results.db"\n')
    (project / "deep").mkdir()
    os.chdir(project / "deep")
    assert open_store().url == f"sqlite:{project}/results.db"


@pytest.mark.parametrize("url", ["sqlite:", "sqlite:///results.db", "sqlite::memory:"])
def test_sqlite_without_a_file_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match="does not name a file") as error:
        open_store(url)
    assert "sqlite:results.db" in str(error.value.hint)


def test_a_folder_is_no_file_of_sqlite(project: Path) -> None:
    with pytest.raises(StoreError, match="is a folder"):
        open_store(f"sqlite:{project}")


def test_a_file_that_is_no_database_is_told_and_left(project: Path) -> None:
    file = project / "results.db"
    file.write_text("this is a letter, and no database " * 100)
    with pytest.raises(StoreError, match="file is not a database") as error:
        open_store("sqlite:results.db")
    assert str(error.value.where) == str(file)
    assert file.read_text().startswith("this is a letter")
    assert not (project / "results.db.journals").exists()


@pytest.fixture
def shut() -> Iterator[Path]:
    """A folder that nobody may write to, where anybody can look."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        yield Path(folder)
        Path(folder).chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="folders have no such rights there")
def test_a_folder_that_may_not_be_written_is_told(shut: Path) -> None:
    code = (
        "import os, sys\n"
        "from dspy_profiles.errors import StoreError\n"
        "from dspy_profiles.results import open_store\n"
        "store = open_store(f'sqlite:{sys.argv[1]}/results.db')\n"
        "store.query_experiments()\n"
        "if os.geteuid() == 0: os.setgid(65534), os.setuid(65534)\n"  # root may do anything
        "try:\n"
        "    with store._database.writing(): pass\n"
        "except StoreError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(shut)], capture_output=True, text=True, check=False
    )
    assert "the database failed: unable to open database file" in done.stdout, done.stderr
    assert f"at {shut}/results.db" in done.stdout
    assert list(shut.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="folders have no such rights there")
@pytest.mark.parametrize("is_shut", [True, False])
def test_a_file_that_may_only_be_read_is_read_and_nothing_is_left_beside_it(
    shut: Path, is_shut: bool
) -> None:
    file = shut / "results.db"
    shut.chmod(0o755)
    with open_store(f"sqlite:{file}") as store:
        book = ExperimentWriter(store, "one")
        book.lines.point("decision", "try", None, None, {})
        assert book.close("done") is not None
    file.chmod(0o444)
    shut.chmod(0o555 if is_shut else 0o777)
    there = sorted(path.name for path in shut.iterdir())
    code = (
        "import os, sys\n"
        "from dspy_profiles.errors import StoreError\n"
        "from dspy_profiles.results import open_store\n"
        "store = open_store(f'sqlite:{sys.argv[1]}')\n"
        "store.query_experiments()\n"
        "if os.geteuid() == 0: os.setgid(65534), os.setuid(65534)\n"  # root may do anything
        "(found,) = open_store(f'sqlite:{sys.argv[1]}').query_experiments()\n"
        "print(len(store.events(found.id)), store.verify(found.id))\n"
        "try: store.rebuild()\n"
        "except StoreError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=False
    )
    assert done.stdout == (
        "1 []\n"
        "the database failed: attempt to write a readonly database\n"
        f"  at {file}\n"
        "  hint: use a writable SQLite file, or a new one: sqlite:results.db\n"
    ), done.stderr
    assert sorted(path.name for path in shut.iterdir()) == there


def test_a_folder_that_cannot_be_made_is_told(project: Path, lm: Any) -> None:
    (project / "sub").write_text("a file")
    store = open_store("sqlite:sub/results.db")
    assert store.query_experiments() == []
    with (
        pytest.raises(StoreError, match="cannot be written: Not a directory"),
        record("a", store=store),
    ):
        pass
    with (
        pytest.raises(StoreError, match="the database failed: .*File exists"),
        vars(store)["_database"].writing(),
    ):
        pass


def test_a_database_that_is_locked_for_too_long_is_told(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setattr("dspy_profiles.results.store.sql._database.PATIENCE", 0)
    store = open_store("sqlite:results.db")
    with record("one", store=store):
        pass
    holder = sqlite3.connect(project / "results.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with record("two", store=store) as exp:
        pass
    holder.close()
    assert "recorded but not archived: the database failed: database is locked" in (
        capfd.readouterr().err
    )
    assert [each.id for each in store.recover()] == [exp.id]


def test_a_server_that_does_not_answer_is_told(project: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        url = f"postgresql://me:{PASSWORD[:4]}secret@127.0.0.1:{taken.getsockname()[1]}/results"
        with pytest.raises(StoreError, match="the database failed: connection failed") as error:
            open_store(url)
    assert "secret" not in f"{error.value!s}{error.value!r}"
    assert "me:********@127.0.0.1" in str(error.value.where)
    assert error.value.__cause__ is None
    assert [path.name for path in project.iterdir()] == [".git"]


def test_a_database_that_is_not_there_is_told(cluster: Any) -> None:
    with pytest.raises(StoreError, match='database "nothing" does not exist'):
        open_store(cluster.url("nothing"))


class TestAServerThatGoesAway:
    @pytest.fixture
    def server(self, cluster: Any) -> Iterator["Server"]:
        yield (made := Server(cluster))
        made.comes_back()

    def test_while_a_program_is_recorded_leaves_the_program_alone(
        self, server: "Server", lm: Any, program: Any, capfd: Any
    ) -> None:
        store = open_store(server.url)
        with record("a run", store=store) as exp:
            program(question="Why?")
            server.goes_away()
            assert program(question="Why not?").answer == "Paris"
        said = capfd.readouterr().err
        assert "recorded but not archived: the database failed: connection failed" in said
        assert f"to archive it: dspy-profiles results recover --store {server.url}" in said
        for ask in (store.query_experiments, store.recover, store.rebuild):
            with pytest.raises(StoreError, match="is not currently accepting connections") as error:
                ask()
            assert str(error.value.where) == server.url
            assert error.value.hint == (
                "check the address, and that the server runs: psql opens the same URL"
            )
        server.comes_back()
        assert [each.id for each in store.recover()] == [exp.id]
        assert [each.inputs["question"] for each in store.query_trials(exp.id)] == [
            "Why?",
            "Why not?",
        ]

    def test_in_the_middle_of_archiving_leaves_nothing_behind(
        self,
        server: "Server",
        lm: Any,
        program: Any,
        capfd: Any,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        store = open_store(server.url)
        with record("before", store=store) as before:
            program(question="Why?")
        whole = search.Index.write

        def cut(index: search.Index) -> None:
            server.goes_away()
            whole(index)

        with monkeypatch.context() as patched:
            patched.setattr(search.Index, "write", cut)
            with record("a run", store=store) as exp:
                program(question="Why?")
        assert "recorded but not archived: the database failed: " in capfd.readouterr().err
        server.comes_back()
        shutil.rmtree(journals(store) / "experiments" / before.id)
        assert [each.id for each in open_store(server.url).query_experiments()] == [
            exp.id,  # of its journals
            before.id,
        ]
        assert [each.id for each in store.recover()] == [exp.id]
        assert store.verify(exp.id) == []


class Server:
    """One database of the cluster, which can be cut off."""

    def __init__(self, cluster: Any) -> None:
        self.url: str = cluster.database()
        self._others = cluster.url("postgres")
        self._name = self.url.rpartition("/")[2]

    def goes_away(self) -> None:
        self._do(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS false")
        self._do(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            f"WHERE datname = '{self._name}'"
        )

    def comes_back(self) -> None:
        self._do(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS true")

    def _do(self, statement: str) -> None:
        with psycopg.connect(self._others, autocommit=True) as connection:
            connection.execute(statement)


def test_one_without_the_right_to_make_tables_is_told_when_it_archives(
    account: str, capfd: Any, lm: Any
) -> None:
    role = account.partition("//")[2].partition("@")[0]
    with psycopg.connect(account.replace(role, "postgres")) as connection:
        connection.execute(f"REVOKE ALL ON SCHEMA public FROM {role}")
    store = open_store(account)
    with record("a run", store=store) as exp:
        pass
    assert "permission denied for schema public" in capfd.readouterr().err
    assert store.get_experiment(exp.id).status == "done"


@pytest.mark.parametrize(
    "url", ["postgresql:results", "postgresql://h:port/db", "postgresql://[::1/db"]
)
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(StoreError, match="is not the address of a database") as error:
        open_store(url)
    assert error.value.hint == "write postgresql://you:${PGPASSWORD}@host/database"


class TestRights:
    """Those that docs/how-to/results-postgresql.md says are enough."""

    @pytest.fixture
    def made(self, cluster: Any, lm: Any) -> str:
        """The URL of a database that has tables, and one experiment."""
        url: str = cluster.database()
        with record("made by the owner", store=url):
            pass
        return url

    def account(self, cluster: Any, url: str, *rights: str) -> str:
        name = cluster.role()
        with psycopg.connect(url) as connection:
            for each in rights:
                connection.execute(f"GRANT {each} IN SCHEMA public TO {name}")
        return url.replace("postgres@", f"{name}@")

    def test_who_may_insert_and_delete_archives_and_rebuilds(
        self, cluster: Any, made: str, lm: Any, program: Any
    ) -> None:
        url = self.account(
            cluster, made, "SELECT, INSERT, DELETE ON ALL TABLES", "USAGE ON ALL SEQUENCES"
        )
        with record("a run", store=url) as exp:
            program(question="Why? " * 2000)
        store = open_store(url)
        assert [each.name for each in store.query_experiments()] == ["a run", "made by the owner"]
        assert store.verify(exp.id) == []
        assert store.rebuild() == 2

    def test_who_may_only_read_asks_and_is_told_when_he_archives(
        self, cluster: Any, made: str, lm: Any, capfd: Any
    ) -> None:
        url = self.account(cluster, made, "SELECT ON ALL TABLES")
        with record("a run", store=url) as exp:
            pass
        assert "permission denied for table dspy_experiments" in capfd.readouterr().err
        store = open_store(url)
        assert [each.name for each in store.query_experiments()] == ["a run", "made by the owner"]
        assert store.query_experiments(text="owner") == store.query_experiments()[1:]
        assert [each.id for each in open_store(made).recover()] == [exp.id]


class TestPasswords:
    def test_one_by_reference_is_shown_as_that(
        self, account: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DB_PASSWORD", PASSWORD)
        url = with_password(account, "${DB_PASSWORD}")
        store = open_store(url)
        assert store.url == url
        assert open_store(store.url).url == url
        assert vars(store)["_database"]._engine.url.password == PASSWORD
        assert redact(f"said {PASSWORD}") == "said ${DB_PASSWORD}"

    def test_one_in_clear_is_shown_nowhere(self, account: str) -> None:
        url = with_password(account, "hunter2222")
        store = open_store(url)
        assert store.url == with_password(account, "********")
        assert "hunter2222" not in repr(vars(store)) + repr(vars(store)["_database"]._engine)
        assert redact("hunter2222") == "********"
        again = open_store(store.url)
        assert again.url == store.url
        assert vars(again)["_database"]._engine.url.password == "hunter2222"

    @pytest.mark.parametrize("is_by_reference", [True, False])
    def test_a_wrong_one_is_told_and_shown_nowhere(
        self,
        guarded: str,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        is_by_reference: bool,
    ) -> None:
        caplog.set_level("DEBUG")
        monkeypatch.setenv("DB_PASSWORD", "right")
        assert open_store(with_password(guarded, "${DB_PASSWORD}")).query_experiments() == []
        monkeypatch.setenv("DB_PASSWORD", "canary6666")
        given = "${DB_PASSWORD}" if is_by_reference else "canary6666"
        with pytest.raises(StoreError, match="password authentication failed for user") as error:
            open_store(with_password(guarded, given))
        shown = "${DB_PASSWORD}" if is_by_reference else "********"
        assert str(error.value.where) == with_password(guarded, shown)
        said = "".join(traceback.format_exception(error.value)) + repr(error.value)
        assert "canary6666" not in said + caplog.text

    def test_it_is_in_no_journal_and_no_table(
        self, account: str, monkeypatch: pytest.MonkeyPatch, lm: Any, program: Any
    ) -> None:
        url = with_password(account, "hunter3333")
        monkeypatch.setattr(sys, "argv", ["tool", "--store", url])
        with record("a run", store=url) as exp:
            program(question="hunter3333")
        store = exp.store
        assert store.verify(exp.id) == []
        files = [path for path in journals(store).rglob("*") if path.is_file()]
        assert files
        assert not [path for path in files if b"hunter3333" in path.read_bytes()]
        assert "********" in str(store.query_trials(exp.id)[0].inputs)

    def test_one_that_was_left_out_elsewhere_is_told(self) -> None:
        with pytest.raises(StoreError, match="has a masked password"):
            open_store("postgresql://somebody:********@127.0.0.1:1/results")

    def test_a_parameter_may_hold_one_too(self, account: str) -> None:
        store = open_store(f"{account}?password=hunter4444&application_name=x")
        assert store.url == f"{account}?password=********&application_name=x"

    def test_one_in_a_dotenv_is_found(self, account: str, write: Write) -> None:
        write(".env", "DB_PASSWORD_IN_FILE=hunter5555\n")
        store = open_store(with_password(account, "${DB_PASSWORD_IN_FILE}"))
        assert vars(store)["_database"]._engine.url.password == "hunter5555"

    def test_a_reference_that_leads_nowhere_is_told(self, account: str) -> None:
        with pytest.raises(MissingSecret, match="NOWHERE is not set; the address of the result"):
            open_store(with_password(account, "${NOWHERE}"))

    @pytest.mark.parametrize("url", ["postgres://me:hunter2@h/db", "mysql://me:hun@ter2@h/db"])
    def test_it_is_not_shown_where_the_scheme_is_unknown(self, url: str) -> None:
        with pytest.raises(StoreError, match="is not a result store") as error:
            open_store(url)
        assert "ter2" not in str(error.value)

    def test_references_stand_for_other_parts_too(
        self, cluster: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        host, _, name = cluster.database().partition("@")[2].partition("/")
        monkeypatch.setenv("DB_NAME", name)
        monkeypatch.setenv("DB_USER", "postgres")
        store = open_store(f"postgresql://${{DB_USER}}@{host}/${{DB_NAME}}")
        assert store.query_experiments() == []
        assert store.url == f"postgresql://${{DB_USER}}@{host}/${{DB_NAME}}"


def test_a_schema_of_its_own_is_a_store_of_its_own(cluster: Any, lm: Any) -> None:
    url = cluster.database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA team")
    team = f"{url}?options=-csearch_path%3Dteam"
    with record("a run", store=team) as exp:
        pass
    assert [each.id for each in open_store(team).query_experiments()] == [exp.id]
    assert open_store(url).query_experiments() == []
    shutil.rmtree(journals(exp.store))
    assert [each.id for each in open_store(team).query_experiments()] == [exp.id]


@pytest.mark.parametrize(
    ("missing", "url", "hint"),
    [
        ("sqlalchemy", "sqlite:results.db", 'pip install "dspy-profiles[sql]"'),
        ("sqlalchemy", "postgresql://h/db", 'pip install "dspy-profiles[postgres]"'),
        ("psycopg", "postgresql://h/db", 'pip install "dspy-profiles[postgres]"'),
    ],
)
def test_a_package_that_is_not_installed_is_named(missing: str, url: str, hint: str) -> None:
    code = (
        "import sys\n"
        f"sys.modules[{missing!r}] = None\n"
        "from dspy_profiles.errors import StoreError\n"
        "from dspy_profiles.results import open_store\n"
        f"try: open_store({url!r})\n"
        "except StoreError as error: print(error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == hint, done.stderr


def test_files_need_no_sqlalchemy() -> None:
    code = (
        "import sys\n"
        "from dspy_profiles.results import open_store\n"
        "open_store('file:results').query_experiments()\n"
        "print(sorted({'sqlalchemy', 'psycopg', 'dspy'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
