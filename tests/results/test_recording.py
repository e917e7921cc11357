"""What surrounds a run is kept with it: profile, versions, commit, command; and no secret."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import dspy
import pytest

from dspy_profiles import profile
from dspy_profiles.errors import ProfileError, StoreError
from dspy_profiles.results import Store, open_store, record
from dspy_profiles.results.journal import _archive as archive
from dspy_profiles.results.journal._folder import FolderStorage
from dspy_profiles.results.recording import command
from dspy_profiles.results.recording._environment import git

CANARY = "canary-0123456789-secret"


class TestStoresAreOpened:
    def test_by_default_in_the_project(self, project: Path, lm: Any) -> None:
        with record("a run") as exp:
            pass
        assert exp.store.url == f"file:{project / '.dspy' / 'results'}"
        assert (project / ".dspy" / "results" / ".gitignore").exists()

    def test_from_a_folder_below_it_too(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (project / "inner").mkdir()
        monkeypatch.chdir(project / "inner")
        assert open_store().url == f"file:{project / '.dspy' / 'results'}"

    def test_a_folder_that_is_named_starts_here(self, project: Path) -> None:
        assert open_store("file:mine").url == f"file:{project / 'mine'}"
        assert open_store(f"file://{project}").url == f"file:{project}"

    def test_memory_is_one_for_the_process(self, lm: Any) -> None:
        with record("a run", store="memory:one") as exp:
            pass
        assert open_store("memory:one").get_experiment(exp.id).name == "a run"
        assert open_store("memory:other").query_experiments() == []

    @pytest.mark.parametrize("url", ["nothing:x", "results", "", ":", "file:"])
    def test_what_is_no_store_is_told(self, url: str) -> None:
        with pytest.raises(StoreError, match=r"write .*file:"):
            open_store(url)

    def test_a_file_is_no_folder(self, write: Callable[..., Path]) -> None:
        path = write("file", "text")
        with pytest.raises(StoreError, match="is not a folder"):
            open_store(f"file:{path}")

    def test_a_folder_that_cannot_be_made_is_told_before_the_run(
        self, write: Callable[..., Path], lm: Any
    ) -> None:
        path = write("file", "text")
        recording = record("a run", store=f"file:{path}/inner")
        with pytest.raises(StoreError, match="cannot be written"), recording:
            pytest.fail("the block was entered")
        assert dspy.settings.callbacks == []

    def test_asking_one_never_imports_dspy(self, project: Path) -> None:
        code = (
            "import sys; from dspy_profiles.results import open_store;"
            "open_store().query_experiments(); sys.exit('dspy' in sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], check=True, cwd=project)


class TestCircumstances:
    @pytest.fixture
    def repository(self, project: Path, write: Callable[..., Path]) -> Path:
        (project / ".git").rmdir()
        write("file", "text")
        for words in (["init", "-q", "-b", "trunk"], ["add", "."], ["commit", "-q", "-m", "one"]):
            identity = ["-c", "user.name=n", "-c", "user.email=e@example.com"]
            subprocess.run(["git", *identity, *words], check=True, cwd=project)
        return project

    def test_the_commit_and_whether_all_is_committed(
        self, repository: Path, write: Callable[..., Path]
    ) -> None:
        found = git()
        assert found is not None
        assert (len(found["commit"]), found["branch"], found["dirty"]) == (40, "trunk", False)
        write("file", "changed")
        changed = git()
        assert changed == {**found, "dirty": True}

    def test_the_record_itself_makes_nothing_dirty(
        self, repository: Path, lm: Any, program: Any
    ) -> None:
        with record("first"):
            program(question="Why?")
        with record("second") as exp:
            pass
        assert exp.store.get_experiment(exp.id).details["git"]["dirty"] is False

    def test_a_repository_that_names_a_program_does_not_run_it(
        self, repository: Path, write: Callable[..., Path]
    ) -> None:
        hook = write("../hook", "#!/bin/sh\ntouch ran\n")
        hook.chmod(0o755)
        set_hook = ["git", "config", "core.fsmonitor", str(hook)]
        subprocess.run(set_hook, check=True, cwd=repository)
        assert git() is not None
        assert not (repository / "ran").exists()

    def test_no_repository_and_no_git_are_not_known(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert git() is None
        monkeypatch.setenv("PATH", "")
        assert git() is None

    @pytest.mark.parametrize(
        ("words", "shown"),
        [
            (["python", "run.py", "--fast"], ["python", "run.py", "--fast"]),
            (["run", "--api-key", "abc", "x"], ["run", "--api-key", "********", "x"]),
            (["run", "--api-key=abc"], ["run", "--api-key=********"]),
            (["run", "OPENAI_API_KEY=abc"], ["run", "OPENAI_API_KEY=********"]),
            (["run", "--max-tokens", "5"], ["run", "--max-tokens", "5"]),
            (["run", "--token", "--fast"], ["run", "--token", "--fast"]),
        ],
    )
    def test_the_command_is_kept_without_its_secrets(
        self, words: list[str], shown: list[str]
    ) -> None:
        assert command(words) == shown

    def test_versions_and_command(self, store: Store, lm: Any) -> None:
        with record("a run", store=store) as exp:
            pass
        details = store.get_experiment(exp.id).details
        assert details["versions"]["dspy"] == dspy.__version__
        assert details["versions"]["python"].startswith("3.")
        assert details["command"][0].endswith(("python", "python3")) or "pytest" in str(
            details["command"]
        )


def test_no_secret_is_in_any_file(
    project: Path, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, lm_of: Any
) -> None:
    monkeypatch.setenv("CANARY_KEY", CANARY)
    write(
        "profiles.toml",
        """
        [prod.lm]
        model = "openai/gpt-4o-mini"
        api_key = "${CANARY_KEY}"
        """,
    )

    class Leaky(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.answer = dspy.Predict("question, key -> answer")

        def forward(self, key: str) -> Any:
            exp.decision(strategy=key, rationale=f"because of {key}", extra={key: [key]})
            self.answer(question="Why?", key=key)
            self.answer(question=f"{key} " * 5000, key=key)
            dspy.Tool(lambda text: text, name=key, args={"text": {"type": "string"}})(text=key)
            raise ValueError(f"the key is {key}")

    recording = record(f"with {CANARY}", hypothesis=CANARY, store="file:results")
    failing = pytest.raises(ValueError, match="the key is")
    with profile("prod"), dspy.context(lm=lm_of()), failing, recording as exp:
        Leaky()(CANARY)
    files = [path for path in (project / "results").rglob("*") if path.is_file()]
    assert len(files) > 4
    for path in files:
        assert CANARY.encode() not in path.read_bytes(), path
        assert CANARY not in path.name
    assert any(b"CANARY_KEY" in path.read_bytes() for path in files)


def test_a_key_of_the_environment_that_no_profile_names_is_in_no_file(
    project: Path, monkeypatch: pytest.MonkeyPatch, lm_of: Any
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.setenv("MODE_TOKEN", "Paris")  # too short to be told from a word
    recording = record("a run", store="file:results")
    with dspy.context(lm=lm_of()), recording as exp:
        dspy.Predict("question -> answer")(question=f"Is {CANARY} a key?")
        exp.decision(strategy="stop", rationale=f"the key {CANARY} was refused")
    texts = [path.read_bytes() for path in (project / "results").rglob("*") if path.is_file()]
    assert not [text for text in texts if CANARY.encode() in text]
    assert any(b"${OPENAI_API_KEY}" in text for text in texts)
    assert any(b"Paris" in text for text in texts)


@pytest.mark.parametrize("name", ["", "  ", "latest", "latest~1", None, 3])
def test_a_name_that_could_not_be_said_again_is_refused(store: Store, name: Any) -> None:
    with pytest.raises(ProfileError, match="experiment"):
        record(name, store=store)


@pytest.mark.parametrize("url", ["file:results", "sqlite:results.db"])
def test_a_record_that_was_removed_meanwhile_is_said_to_be_lost_and_leaves_nothing(
    url: str, capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    with record("a run", store=url) as exp:
        storage = exp.store.storage
        assert isinstance(storage, FolderStorage)
        folder = storage.root
        shutil.rmtree(folder)
    said = capsys.readouterr().err
    assert said == 'dspy-profiles: "a run" is lost: its journals were removed while it ran\n'
    assert not folder.exists()
    assert open_store(url).recover() == []


def test_what_is_no_store_is_refused() -> None:
    given: Any = 3
    with pytest.raises(StoreError, match="3 is not a result store"), record("a run", store=given):
        pass
    with pytest.raises(StoreError, match="3 is not a result store"):
        open_store(given)


def test_arguments_of_the_connection_are_not_recorded(store: Store, lm_of: Any) -> None:
    more = {"timeout": 5, "extra_headers": {"Authorization": CANARY}, "temperature": 0.5}
    lm = lm_of()
    lm.kwargs.update(more, api_key=CANARY, my_token=CANARY)
    refused = pytest.raises(Exception, match="cannot be carried")  # by an engine of one's own
    with record("a run", store=store) as exp, refused:
        lm("Why?")
    (event,) = store.events(exp.id)
    assert event.attributes["arguments"]["temperature"] == 0.5
    assert CANARY not in str(event)


def test_a_name_steers_no_terminal_where_the_record_is_told(
    store: Store, lm: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with record("a\x1b[31m\nb\u202e" + "c" * 500, store=store):
        pass
    told = capsys.readouterr().err
    assert 'recorded "a␛[31m b⟨U+202E⟩ccc' in told
    assert len(told.partition(" --store ")[0]) < 200
    assert told.count("\n") == 1
    assert not {"\x1b", "\u202e"} & set(told)


def test_what_is_told_of_a_record_has_no_secret_in_it(
    lm: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    store = open_store("file:results")
    with record(f"with {CANARY}", store=store):
        pass

    def fail(*_: object, **__: object) -> None:
        raise StoreError(f"{CANARY} was refused")

    monkeypatch.setattr(archive, "seal", fail)
    with record(f"\x1b[31mwith {CANARY}", store=store):
        pass
    told, failed = capsys.readouterr().err.splitlines()
    assert 'recorded "with ${OPENAI_API_KEY}": 0 trials' in told
    assert '"␛[31mwith ${OPENAI_API_KEY}" is recorded but not archived: ${OPENAI' in failed


def test_long_and_odd_names_are_kept(store: Store, lm: Any) -> None:
    with record("n\ud800" + "ame " * 5000, hypothesis="long " * 5000, store=store) as exp:
        pass
    found = store.get_experiment(exp.id)
    assert found.name == "n?" + "ame " * 5000
    assert found.hypothesis == "long " * 5000
    assert store.verify(exp.id) == []


@pytest.mark.parametrize(("code", "status"), [(0, "done"), (None, "done"), (3, "failed")])
def test_a_program_that_exits_has_ended_as_it_says(
    store: Store, lm: Any, code: int | None, status: str
) -> None:
    recording = record("a run", store=store)
    with pytest.raises(SystemExit), recording as exp:
        raise SystemExit(code)
    assert store.get_experiment(exp.id).status == status


def test_a_refused_call_is_told_by_its_own_error(store: Store, program: Any) -> None:
    from dspy_profiles.calls import Refused
    from dspy_profiles.errors import BudgetExceeded

    class Program(dspy.Module):
        def forward(self) -> None:
            raise Refused(BudgetExceeded("the budget is spent"))

    recording = record("a run", store=store)
    with pytest.raises(Refused), recording as exp:
        Program()()
    assert store.query_trials(exp.id)[0].error == "BudgetExceeded: the budget is spent"


def test_a_refused_call_fails_even_if_dspy_does_not_pass_its_error_on(store: Store) -> None:
    from dspy_profiles.calls import Refused
    from dspy_profiles.errors import BudgetExceeded
    from dspy_profiles.results.recording._callback import active_recorders

    with record("a run", store=store) as exp:
        (recorder,) = active_recorders()
        recorder.on_module_start("call", dspy.Module(), {"args": (), "kwargs": {}})
        with suppress(Refused), ExitStack() as ending:
            ending.callback(recorder.on_module_end, "call", None, None)  # as DSPy before 3.4 does
            raise Refused(BudgetExceeded("the budget is spent"))
    (trial,) = store.query_trials(exp.id)
    assert (trial.status, trial.error) == ("failed", "BudgetExceeded: the budget is spent")


def test_an_lm_of_another_class_is_recorded_as_an_lm(store: Store) -> None:
    class Own(dspy.BaseLM):
        pass

    from dspy_profiles.results.recording._callback import active_recorders

    with record("a run", store=store) as exp:
        (recorder,) = active_recorders()
        recorder.on_module_start("call", Own("house/own"), {"messages": [], "kwargs": {}})
        recorder.on_module_end("call", ["Paris"], None)  # as DSPy before 3.4 calls them
    (event,) = store.events(exp.id)
    assert (event.kind, event.name, event.attributes["outputs"]) == ("lm", "house/own", ["Paris"])


def test_a_block_that_cannot_be_entered_leaves_nothing_running(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dspy_profiles._dspy.block_overrides", lambda: None)
    recording = record("a run", store=store)
    with pytest.raises(Exception, match="nothing can be recorded"), recording:
        pytest.fail("the block was entered")
    (closed,) = store.recover()
    assert closed.status == "interrupted"
