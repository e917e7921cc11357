"""`%%dspy_record`, `%dspy_results`, `%dspy_trace`: kept, listed and shown in a notebook."""

import re
from typing import Any

import pytest

from dspy_profiles.results import open_store


@pytest.fixture
def experiment() -> Any:
    """The one that there is."""

    def read() -> Any:
        with open_store() as store:
            (found,) = store.query_experiments()
            return found, store.query_trials(found.id)

    return read


ASK = "dspy.Predict('question -> answer')(question='where').answer"


def test_a_cell_is_an_experiment_and_shows_its_last_value(shell: Any, experiment: Any) -> None:
    said = shell(f"%%dspy_record tune\nimport dspy\n%dspy_profile mock\n{ASK}")
    found, trials = experiment()
    assert (found.name, found.status, len(trials)) == ("tune", "done", 1)
    assert trials[0].inputs == {"question": "where"}
    assert said.value == trials[0].outputs["answer"]
    assert f'recorded "tune": 1 trial; %dspy_trace {found.id}' in said.text


def test_it_goes_with_a_profile_in_either_order(shell: Any, experiment: Any) -> None:
    shell(f"%%dspy_record tune\n%%dspy_profile mock\nimport dspy\n{ASK}")
    assert experiment()[0].trials == 1


def test_await_works_in_it(shell: Any, experiment: Any) -> None:
    shell("%%dspy_profile mock\n%%dspy_record tune\nimport dspy\n"
       "await dspy.Predict('question -> answer').acall(question='?')")  # fmt: skip
    found, trials = experiment()
    assert (found.profile, len(trials)) == ("mock", 1)


def test_an_error_in_it_is_the_cells_own_and_the_experiment_failed(
    shell: Any, experiment: Any
) -> None:
    said = shell("%%dspy_record tune\nimport dspy\n\n1 / 0")
    assert isinstance(said.error, ZeroDivisionError)
    assert "----> 4 1 / 0" in said.text
    assert experiment()[0].status == "failed"


def test_scores_are_given_by_a_variable(shell: Any, experiment: Any) -> None:
    shell('%%dspy_record tune --as exp --hypothesis "shorter is better"\n'
       'exp.score("accuracy", 0.5)\nexp.decision(strategy="cut")')  # fmt: skip
    found, _ = experiment()
    assert (found.score, found.hypothesis) == (0.5, "shorter is better")


def test_results_are_listed_latest_first_and_found_by_their_words(shell: Any) -> None:
    for name in ("one", "two"):
        shell(f"%%dspy_record {name}\n%%dspy_profile mock\nimport dspy\n"
           f"dspy.Predict('question -> answer')(question='{name} word')")  # fmt: skip
    listed = shell("%dspy_results").text
    assert 0 < listed.index("two") < listed.index("one")
    found = shell("%dspy_results ONE word").text
    assert "one" in found
    assert "two" not in found
    assert "no experiments found" in shell("%dspy_results --status failed").text


def test_a_trace_is_shown_whole_and_by_trial(shell: Any, project: Any) -> None:
    shell(f"%%dspy_record tune\n%%dspy_profile mock\nimport dspy\n{ASK}")
    text = shell("%dspy_trace").text
    assert "tune" in text
    assert re.search(r"^%dspy_trace \w{26} 1$", text, re.MULTILINE)
    assert "dspy-profiles trace" not in text
    trial = shell("%dspy_trace tune 1").text
    assert "Predict" in trial
    assert "where" in trial
    said = shell("%dspy_trace latest --html trace.html").text
    assert "written:" in said
    page = project / "trace.html"
    assert "where" in page.read_text("utf-8")
    page.write_text("mine")
    refused = shell("%dspy_trace --html trace.html")
    assert refused.kind == "UsageError"
    assert "trace.html already exists" in refused.err
    assert "add --yes" in refused.err
    assert page.read_text() == "mine"
    assert "written:" in shell("%dspy_trace --html trace.html --yes").text
    assert "where" in page.read_text("utf-8")


def test_values_behind_an_equals_sign_may_stand_in_quotes(shell: Any, experiment: Any) -> None:
    shell('%%dspy_record tune --hypothesis="shorter is better" --as=exp\nexp.score("a", 1)')
    found, _ = experiment()
    assert (found.hypothesis, found.score) == ("shorter is better", 1)


def test_what_is_not_there_leads_on_to_another_magic(shell: Any) -> None:
    shell("%%dspy_record tune\nimport dspy")
    assert "%dspy_results shows all experiments" in shell("%dspy_trace nope").err
    said = shell("%dspy_trace tune 7").err
    assert re.search(r"it has no trials; %dspy_trace \w{26} shows them", said)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%dspy_trace nope", 'experiment "nope" not found'),
        ("%dspy_trace", "hint: record one: %%dspy_record NAME, or pytest --dspy-store"),
        ("%dspy_results --status nonsense", "write one of: running, done, failed"),
        ("%dspy_results --store nonsense", '"nonsense" is not a result store'),
        ("%%dspy_record\n1", "the following arguments are required: name"),
        ("%%dspy_record my name\n1", "put a name with spaces in quotes"),
        ("%%dspy_record my name --nope\n1", "unrecognized arguments: name --nope"),
        ("%%dspy_record tune --as 1x\n1", "--as 1x: not a valid name of a variable"),
        ("%%dspy_record tune --as class\n1", "--as class: not a valid name of a variable"),
        ("%%dspy_record tune --store nonsense\n1", '"nonsense" is not a result store'),
        ("%%dspy_record tune\n", "the cell body is empty"),
        ("%dspy_results --nope", "unrecognized arguments: --nope"),
        ("%dspy_trace tune --nope", "unrecognized arguments: --nope"),
    ],
)
def test_what_cannot_be_is_one_line(shell: Any, cell: Any, said: Any) -> None:
    done = shell(cell)
    assert said in done.text + str(done.error)
    assert "Traceback" not in done.text


def test_unloading_takes_them_out(shell: Any) -> None:
    shell("%unload_ext dspy_profiles_ipython")
    left = {name for table in shell.ip.magics_manager.magics.values() for name in table}
    assert not {name for name in left if name.startswith("dspy_")}
