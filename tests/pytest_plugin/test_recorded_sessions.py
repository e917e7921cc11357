"""`--dspy-store`: the session is an experiment, and each test a trial of it."""

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from dspy_profiles.results import open_store

MOCK = ("--dspy-profile", "mock")
STORE = "file:results"
CANARY = "canary-5c1d0e7f"


@pytest.fixture
def recorded(project: Any) -> Any:
    """The one experiment of the project, with its trials by name."""

    def read(url: Any = STORE) -> Any:
        with open_store(url) as store:
            (experiment,) = store.query_experiments()
            trials = store.query_trials(experiment.id)
            assert list(store.verify(experiment.id)) == []
            return experiment, {trial.name: trial for trial in trials}, store

    return read


TESTS = """
    import threading
    QA = dspy.Predict("question -> answer")
    def test_passes():
        assert QA(question="one").answer
    def test_threads():
        threads = [threading.Thread(target=lambda: QA(question="?")) for _ in range(3)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    def test_fails():
        assert QA(question="two").answer == "nothing like it"
    @pytest.mark.skip(reason="not today")
    def test_is_skipped(): ...
    @pytest.mark.xfail(reason="known")
    def test_is_expected_to_fail():
        assert False
    def test_asks_nobody(): ...
    @pytest.fixture
    def broken():
        raise ValueError("no fixture")
    def test_has_a_broken_fixture(broken): ...
"""
OUTCOMES = {
    "test_passes": ("done", "passed", None),
    "test_threads": ("done", "passed", None),
    "test_fails": ("failed", "failed", "AssertionError"),
    "test_is_skipped": ("skipped", "skipped", None),
    "test_is_expected_to_fail": ("done", "xfailed", None),
    "test_asks_nobody": ("done", "passed", None),
    "test_has_a_broken_fixture": ("failed", "error", "ValueError: no fixture"),
}


@pytest.mark.parametrize(
    ("mark", "words"),
    [("", MOCK), ("@pytest.mark.dspy_profile('mock')", ())],
)
def test_program_and_profile_are_those_of_the_first_test(
    run: Any, suite: Any, write: Any, recorded: Any, mark: Any, words: Any
) -> None:
    suite(f"""
        class Capital(dspy.Module):
            def __init__(self):
                super().__init__()
                self.ask = dspy.Predict("question -> answer")
            def forward(self, question):
                return self.ask(question=question)
        {mark}
        def test_it():
            assert Capital()(question="?").answer
    """)

    run("--dspy-store", STORE, *words)

    experiment, _, _ = recorded()
    assert (experiment.profile, experiment.program) == ("mock", "Capital")


def test_each_test_is_a_trial_with_its_outcome_and_what_it_called(
    run_both_ways: Any, suite: Any, recorded: Any
) -> None:
    suite(TESTS)

    result = run_both_ways("--dspy-store", STORE, *MOCK)

    assert result.ret == 1
    experiment, trials, store = recorded()
    assert (experiment.name, experiment.status, experiment.profile) == ("pytest", "failed", "mock")
    assert (experiment.trials, experiment.tokens > 0, experiment.cost) == (7, True, 0.0)
    for name, (status, outcome, error) in OUTCOMES.items():
        trial = trials[f"test_it.py::{name}"]
        assert (trial.kind, trial.status, trial.score) == ("test", status, None)
        assert trial.details["outcome"] == outcome
        assert trial.details["profile"] == "mock"
        assert trial.details["duration"] >= 0
        assert (trial.error or "").startswith(error or "")
        assert bool(trial.error) is bool(error)
    calls = {
        name: sum(e.kind == "lm" for e in store.events(experiment.id, trial.id))
        for name, trial in trials.items()
    }
    assert [calls[f"test_it.py::{name}"] for name in OUTCOMES] == [1, 3, 1, 0, 0, 0, 0]
    assert trials["test_it.py::test_is_skipped"].details["reason"] == "not today"
    assert trials["test_it.py::test_is_expected_to_fail"].details["reason"] == "known"


def test_the_end_says_how_to_look_at_it_and_the_top_where_it_is_kept(
    run_both_ways: Any, suite: Any, recorded: Any, project: Any
) -> None:
    suite("def test_a(dspy_lm):\n    assert dspy_lm('hello')")

    result = run_both_ways("--dspy-store", STORE, *MOCK)

    experiment, _, _ = recorded()
    command = f"dspy-profiles trace {experiment.id} --store file:{project}/results"
    result.stdout.fnmatch_lines(
        [
            "dspy: profile mock (--dspy-profile)*recorded in file:results",
            f'dspy: recorded "pytest": 1 trial; {command}',
        ]
    )


def test_without_a_profile_the_programs_own_lm_is_recorded(
    run_both_ways: Any, suite: Any, recorded: Any
) -> None:
    suite("""
        def test_a():
            with dspy.context(lm=dspy.utils.DummyLM([{"answer": "Paris"}])):
                assert dspy.Predict("question -> answer")(question="?").answer == "Paris"
        """)

    result = run_both_ways("--dspy-store", STORE)

    result.assert_outcomes(passed=1)
    experiment, trials, store = recorded()
    (trial,) = trials.values()
    assert (experiment.profile, experiment.status) == (None, "done")
    assert [e.kind for e in store.events(experiment.id, trial.id)].count("lm") == 1


def test_what_the_program_configures_does_not_displace_it(
    run: Any, suite: Any, recorded: Any
) -> None:
    suite("""
        from dspy.utils.callback import BaseCallback
        class Own(BaseCallback): ...
        def test_a():
            dspy.configure(lm=dspy.utils.DummyLM([{"answer": "Paris"}] * 2), callbacks=[Own()])
            dspy.Predict("question -> answer")(question="?")
            assert any(isinstance(each, Own) for each in dspy.settings.callbacks)
        """)

    run("--dspy-store", STORE).assert_outcomes(passed=1)

    experiment, trials, store = recorded()
    (trial,) = trials.values()
    assert [e.kind for e in store.events(experiment.id, trial.id)].count("lm") == 1


def test_examples_of_an_evaluation_belong_to_their_test(
    run_both_ways: Any, suite: Any, recorded: Any
) -> None:
    suite("""
        def test_a():
            rows = [dspy.Example(question=str(n)).with_inputs("question") for n in range(3)]
            metric = lambda example, answer, trace=None: example.question != "1"
            qa = dspy.Predict("question -> answer")
            dspy.Evaluate(devset=rows, metric=metric, num_threads=2, display_progress=False)(qa)
        """)

    run_both_ways("--dspy-store", STORE, *MOCK).assert_outcomes(passed=1)

    experiment, trials, _ = recorded()
    test = trials.pop("test_it.py::test_a")
    assert {trial.parent_id for trial in trials.values()} == {test.id}
    assert [trials[f"example {n}"].score for n in range(3)] == [1.0, 0.0, 1.0]
    assert experiment.score == pytest.approx(2 / 3)


def test_what_a_wider_fixture_calls_belongs_to_no_test(run: Any, suite: Any, recorded: Any) -> None:
    suite("""
        QA = dspy.Predict("question -> answer")
        @pytest.fixture(scope="module")
        def wide():
            QA(question="before")
            yield
            QA(question="after")
        def test_a(wide):
            QA(question="in it")
        """)

    run("--dspy-store", STORE, *MOCK).assert_outcomes(passed=1)

    experiment, _, store = recorded()
    trials = store.query_trials(experiment.id)
    assert [(t.kind, t.inputs) for t in trials if t.kind == "call"] == [
        ("call", {"question": "before"}),
        ("call", {"question": "after"}),
    ]
    (test,) = [t for t in trials if t.kind == "test"]
    asked = [e.attributes.get("inputs") for e in store.events(experiment.id, test.id)]
    assert {"question": "in it"} in asked
    assert len([e for e in store.events(experiment.id, test.id) if e.kind == "lm"]) == 1


def test_a_matrix_tells_the_profile_of_each(
    run_both_ways: Any, suite: Any, write: Any, recorded: Any
) -> None:
    write("profiles.toml", '[a]\nextends = "mock"\n[b]\nextends = "mock"\n')
    suite("def test_a(dspy_lm):\n    assert dspy_lm('hello')")

    run_both_ways("--dspy-store", STORE, "--dspy-profile", "a,b").assert_outcomes(passed=2)

    experiment, trials, _ = recorded()
    assert experiment.profile is None
    assert experiment.details["profiles"] == ["a", "b"]
    assert {t.name: t.details["profile"] for t in trials.values()} == {
        "test_it.py::test_a[a]": "a",
        "test_it.py::test_a[b]": "b",
    }


def test_a_test_that_is_run_again_is_one_trial(
    run_both_ways: Any, suite: Any, recorded: Any
) -> None:
    pytest.importorskip("pytest_rerunfailures")
    suite("""
        import itertools
        COUNT = itertools.count()
        def test_flaky(dspy_lm):
            dspy_lm("hello")
            assert next(COUNT)
        """)

    run_both_ways("--dspy-store", STORE, *MOCK, "--reruns", "2", strict=())

    _, trials, _ = recorded()
    (trial,) = trials.values()
    assert (trial.status, trial.error, trial.details["outcome"]) == ("done", None, "passed")


@pytest.mark.parametrize("given", ["ini", "flag"])
def test_pytests_own_words_record_and_others_only_say_where(
    run: Any, suite: Any, write: Any, project: Any, given: Any
) -> None:
    suite("def test_a(dspy_lm):\n    assert dspy_lm('hello')")
    write("pyproject.toml", '[tool.dspy-profiles]\nstore = "file:elsewhere"\n')
    elsewhere = {"DSPY_PROFILES_STORE": "file:elsewhere"}
    run(*MOCK, env=elsewhere).assert_outcomes(passed=1)
    assert not (project / "elsewhere").exists()

    if given == "ini":
        write("pytest.ini", "[pytest]\ndspy_store = file:results\n")
        run(*MOCK).assert_outcomes(passed=1)
    else:
        run("--dspy-store", STORE, *MOCK).assert_outcomes(passed=1)

    assert (project / "results").exists()
    assert not (project / "elsewhere").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--dspy-store", "nonsense"], '*"nonsense" is not a result store*'),
        (["--dspy-store", "file:taken"], "*is not a folder*"),
    ],
)
def test_a_store_that_cannot_be_is_told_before_any_test_runs(
    run: Any, suite: Any, write: Any, words: Any, said: Any
) -> None:
    suite("def test_a():\n    open('ran', 'w')")
    write("taken", "a file")

    result = run(*words, *MOCK)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said])


def test_workers_cannot_share_a_store_in_memory(run: Any, suite: Any) -> None:
    suite("def test_a(): ...")

    result = run("-n", "2", "--dspy-store", "memory:", *MOCK)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "file:results" in "\n".join(result.errlines)


@pytest.mark.parametrize("words", [["--collect-only"], ["--fixtures"], ["--help"]])
def test_what_runs_no_test_records_nothing(run: Any, suite: Any, project: Any, words: Any) -> None:
    suite("def test_a(): ...")

    run("--dspy-store", STORE, *MOCK, *words)

    assert not (project / "results").exists()


def test_no_secret_gets_into_the_record(
    run_both_ways: Any, suite: Any, write: Any, project: Any
) -> None:
    write("profiles.toml", '[p]\nextends = "mock"\n[p.env]\nTHE_KEY = "${TOKEN}"\n')
    suite("""
        def test_says_it(dspy_profile):
            import os
            dspy.Predict("question -> answer")(question=os.environ["THE_KEY"])
            raise ValueError(os.environ["THE_KEY"])
        def test_skips():
            import os
            pytest.skip(os.environ["THE_KEY"])
        """)

    result = run_both_ways("--dspy-store", STORE, "--dspy-profile", "p", env={"TOKEN": CANARY})

    result.assert_outcomes(failed=1, skipped=1)
    written = [path for path in (project / "results").rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if CANARY.encode() in path.read_bytes()]


@pytest.mark.skipif(os.name == "nt", reason="kills as POSIX does")
def test_a_session_that_is_killed_keeps_what_it_has_written(suite: Any, project: Any) -> None:
    suite("""
        import time
        def test_done(dspy_lm):
            dspy_lm("hello")
        def test_hangs(dspy_lm):
            dspy_lm("hello")
            open("hangs", "w").close()
            time.sleep(600)
        """)
    words = ["-p", "no:randomly", "-q", "--dspy-store", STORE, *MOCK]
    with subprocess.Popen([sys.executable, "-m", "pytest", *words], cwd=project) as running:
        while not (project / "hangs").exists():
            assert running.poll() is None
            time.sleep(0.02)
        running.send_signal(signal.SIGKILL)

    with open_store(STORE) as store:
        (closed,) = store.recover()
        done, hung = store.query_trials(closed.id)
    assert closed.status == "interrupted"
    assert (done.status, hung.status) == ("done", "interrupted")


def test_a_test_that_is_interrupted_is_not_done(
    suite: Any, run: Any, recorded: Any, project: Any
) -> None:
    suite("""
        def test_done(): ...
        def test_stops():
            raise KeyboardInterrupt
        """)

    result = run("--dspy-store", STORE, "--dspy-report", "said.json", *MOCK)

    experiment, trials, _ = recorded()
    assert (result.ret, experiment.status) == (2, "interrupted")
    assert experiment.details["error"].startswith("KeyboardInterrupt")  # and no dead process
    told = {name.rpartition("::")[2]: trial for name, trial in trials.items()}
    assert told["test_done"].status == "done"
    stopped = told["test_stops"]
    assert (stopped.status, stopped.details["outcome"]) == ("interrupted", "interrupted")
    said = json.loads((project / "said.json").read_text("utf-8"))
    assert [test["outcome"] for test in said["tests"]] == ["passed", "interrupted"]
