"""How a typed program uses the public names. Type checkers read this file; nothing runs it.

A `type: ignore` marks a mistake that a checker must find: one that finds nothing there fails.
"""

from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal, assert_type

import pluggy

import dspy_profiles
from dspy_profiles import (
    Configured,
    Origin,
    ProfileError,
    ProfileWarning,
    ResolvedProfile,
    bind,
    configure,
    current_profile,
    embedder,
    list_profiles,
    lm,
    profile,
    resolve,
    with_profile,
)
from dspy_profiles.errors import (
    BudgetExceeded,
    CassetteMiss,
    InvalidFile,
    InvalidProfile,
    LiveCallBlocked,
    LockTimeout,
    MissingSecret,
    Place,
    PlaintextSecret,
    ProfileNotFound,
    ProviderError,
    StoreError,
    Untrusted,
    WriteFailed,
    did_you_mean,
)
from dspy_profiles.plugins import hookimpl, manager
from dspy_profiles.results import (
    BaseStore,
    Candidate,
    Decision,
    Event,
    Experiment,
    ExperimentNotFound,
    ExperimentQuery,
    ExperimentView,
    Fault,
    Recording,
    Score,
    Store,
    Trial,
    TrialQuery,
    TrialView,
    load_examples,
    open_store,
    record,
    view_experiment,
    view_trial,
)
from dspy_profiles.results.journal import JournalStorage


def package() -> None:
    assert_type(dspy_profiles.__version__, str)
    dspy_profiles.profil()  # type: ignore[attr-defined]


# Blocks.


def block() -> None:
    with profile() as default:
        assert_type(default, ResolvedProfile)
    with profile("prod", settings={"num_threads": 2}, lm={"temperature": 0}) as active:
        assert_type(active, ResolvedProfile)
        assert_type(active.name, str)
        assert_type(active.reason, str)
        assert_type(active.description, str | None)
        assert_type(active.parents, tuple[str, ...])
        assert_type(active.files, tuple[Path, ...])
        assert_type(active.fingerprint, str)
        assert_type(active.lm["model"], Any)
    with profile("prod", cassette="a.jsonl", cassettes="once"), profile(cassette=Path("b.jsonl")):
        pass
    profile(3)  # type: ignore[arg-type]
    profile("prod", lm="openai/gpt-4o")  # type: ignore[arg-type]
    profile("prod", cassettes=True)  # type: ignore[arg-type]


def block_that_returns() -> int:
    with profile("prod"):  # A block that swallowed exceptions would need a `return` after it.
        return 1


def active() -> None:
    assert_type(current_profile(), ResolvedProfile | None)


# Decorators keep the signature of what they decorate.


@with_profile("prod")
def function(question: str, *, length: int = 3) -> str:
    return question * length


@with_profile
def without_parentheses(question: str) -> bytes:
    return question.encode()


@with_profile("prod", cassette="a.jsonl", cassettes="new", lm={"temperature": 0})
async def coroutine(question: str) -> str:
    return question


@with_profile()
def generator(count: int) -> Generator[int, str, bool]:
    return (yield count) == "yes"


@with_profile("prod")
async def asynchronous_generator(count: int) -> AsyncIterator[int]:
    yield count


@with_profile("prod")
class Program:
    answers: ClassVar[list[str]] = []

    def __init__(self, size: int) -> None:
        self.size = size

    @with_profile("dev")
    def forward(self, question: str) -> str:
        return question

    def __call__(self, question: str) -> str:
        return self.forward(question)


async def decorated() -> None:
    assert_type(function("Why?", length=2), str)
    assert_type(without_parentheses("Why?"), bytes)
    assert_type(await coroutine("Why?"), str)
    assert_type(generator(3), Generator[int, str, bool])
    assert_type([each async for each in asynchronous_generator(3)], list[int])
    program = Program(3)
    assert_type(program, Program)
    assert_type(program.size, int)
    assert_type(program.forward("Why?"), str)
    assert_type(program("Why?"), str)
    function(3)  # type: ignore[arg-type]
    Program("3")  # type: ignore[arg-type]


def bound() -> None:
    def answer(question: str) -> str:
        return question

    assert_type(bind(answer)("Why?"), str)
    with ThreadPoolExecutor() as pool:
        assert_type(pool.submit(bind(answer), "Why?").result(), str)
    bind("prod")  # type: ignore[type-var]


# Profiles for a whole program, and profiles that are only looked at.


def configured() -> None:
    handle = configure("prod", lm={"temperature": 0})
    assert_type(handle, Configured)
    assert_type(handle.profile, ResolvedProfile)
    handle.restore()


def resolved() -> None:
    found = resolve("prod", file=Path("profiles.toml"), lm={"temperature": 0})
    assert_type(found, ResolvedProfile)
    origin = found.origin("lm.model")
    assert_type(origin, Origin)
    assert_type(origin.file, Path | None)
    assert_type(origin.line, int | None)
    assert_type(origin.layer, str)
    assert_type(origin.profile, str)
    assert_type(found.origins(), dict[tuple[str, ...], Origin])
    assert_type(list_profiles(file="profiles.toml"), list[str])
    found.name = "dev"  # type: ignore[misc]


def objects() -> None:
    # DSPy ships no types: what it makes is of any type.
    assert_type(lm("prod", "teacher", temperature=0), Any)
    assert_type(embedder(), Any)


# Errors.


def caught() -> None:
    try:
        resolve("prod")
    except MissingSecret as error:
        assert_type(error.exit_code, int)
    except ProfileError as error:
        assert_type(error.message, str)
        assert_type(error.hint, str | None)
        assert_type(error.where, Place | str | None)
    assert_type(did_you_mean("prdo", ["prod"]), str | None)
    assert_type(Place(Path("profiles.toml"), 3).line, int | None)


errors: list[type[ProfileError]] = [
    BudgetExceeded,
    CassetteMiss,
    ExperimentNotFound,
    InvalidFile,
    InvalidProfile,
    LiveCallBlocked,
    LockTimeout,
    MissingSecret,
    PlaintextSecret,
    ProfileNotFound,
    ProviderError,
    StoreError,
    Untrusted,
    WriteFailed,
]
warnings: list[type[UserWarning]] = [ProfileWarning]


# Plugins.


class Plugin:
    @hookimpl
    def dspy_profiles_redaction_rules(self) -> Sequence[str]:
        return [r"cust-\d{8}"]

    @hookimpl
    def dspy_profiles_providers(self) -> Mapping[str, object]:
        return {"echo": "house:Echo"}


def registered() -> None:
    plugin = Plugin()
    assert_type(plugin.dspy_profiles_redaction_rules(), Sequence[str])
    assert_type(manager().register(plugin), str | None)
    assert isinstance(manager(), pluggy.PluginManager)


# Results.


def recorded(store: Store) -> None:
    with record("tune", hypothesis="shorter is better", store="memory:") as experiment:
        assert_type(experiment, Recording)
        assert_type(experiment.id, str)
        assert_type(experiment.store, Store)
        experiment.score("accuracy", 0.8)
        experiment.decision(strategy="shorten", rationale="long prompts cost more")
    with record("tune", store=store, durability="event"):
        pass
    record("tune", durability="always")  # type: ignore[arg-type]


async def recorded_in_a_coroutine() -> None:
    async with record("tune") as experiment:
        assert_type(experiment, Recording)


def queried() -> None:
    with open_store("memory:") as opened:
        opened.close()
    store = open_store()
    assert_type(store, Store)
    assert_type(store.url, str)
    since: datetime | date | str = datetime(2026, 1, 1, tzinfo=UTC)
    experiments = store.query_experiments(status="done", since=since, min_score=0.5, limit=3)
    assert_type(experiments, list[Experiment])
    experiment = store.get_experiment("latest")
    assert_type(experiment.score, float | None)
    assert_type(experiment.started, datetime)
    assert_type(experiment.to_json(), dict[str, Any])
    assert_type(Experiment.from_json(experiment.to_json()), Experiment)
    trials = store.query_trials(experiment.id, kind="test", text="Paris")
    assert_type(trials, list[Trial])
    assert_type(Candidate.of(trials[0]).predictors, Mapping[str, Any])
    events = store.events(experiment.id, trials[0].id)
    assert_type(events, list[Event])
    assert_type(Decision.of(events[0]).strategy, str | None)
    assert_type(Score.of(events[0]).value, float | None)
    faults = store.verify(experiment.id)
    assert_type(faults, Sequence[Fault])
    assert_type(faults[0].kind, Literal["damaged", "tampered", "late", "open"])
    assert_type(store.recover(), list[Experiment])
    assert_type(store.rebuild(), int)
    assert_type(store.archive_experiment(experiment), Experiment)
    store.query_trials()  # type: ignore[call-arg]
    store.query_experiments(score=1)  # type: ignore[call-arg]
    store.query_experiments(limit="3")  # type: ignore[arg-type]


def queried_with_conditions_of_a_variable(store: Store) -> None:
    conditions: ExperimentQuery = {"status": "done", "since": date(2026, 1, 1)}
    assert_type(store.query_experiments(**conditions), list[Experiment])
    of_trials: TrialQuery = {"kind": "test"}
    assert_type(store.query_trials("latest", **of_trials), list[Trial])
    ExperimentQuery(score=1)  # type: ignore[typeddict-unknown-key]


def derived(storage: JournalStorage) -> None:
    class Cloud(BaseStore):
        def get_experiment(self, experiment_id: str) -> Experiment:
            return super().get_experiment(experiment_id)

    with Cloud("cloud:x", storage) as opened:
        assert_type(opened, Cloud)
        store: Store = opened
        assert_type(store.storage, JournalStorage)


def viewed() -> None:
    view = view_experiment("latest", "memory:", full=True)
    assert_type(view, ExperimentView)
    assert_type(view.html(), str)
    assert_type(view.save("page.html"), Path)
    assert_type(view_trial("latest", 3, open_store()), TrialView)


def loaded() -> None:
    assert_type(len(load_examples("train.jsonl")), int)


functions: Sequence[Callable[[str], object]] = [profile, lm, resolve, configure, open_store, record]
iterators: Iterator[str] = iter(list_profiles())
