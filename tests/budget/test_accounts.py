"""A block, a run or a command under a budget: from its text to a stage, shared by processes."""

import subprocess
import sys
from typing import Any

import dspy
import pytest

from dspy_profiles import profile
from dspy_profiles.activation import stages_for_block
from dspy_profiles.calls import Refused
from dspy_profiles.calls.budget import Account, Accounts, Budget, Tally
from dspy_profiles.calls.budget._shared_tally import Spent
from dspy_profiles.config import Budgets, Limits
from dspy_profiles.errors import BudgetExceeded, Place


def accounts(text: str, owner: str = "this block", tally: Tally | None = None) -> Accounts:
    return Accounts(owner, Budgets.from_text(text), tally)


def stage_of(text: str, profile: str | None = None, *inner: Account) -> Budget:
    stage = accounts(text).stage(profile, *inner)
    assert stage is not None
    return stage


def test_a_block_stops_at_its_budget() -> None:
    stage = stage_of("calls=2,usd=0.5")
    examples = [dspy.Example(question=question).with_inputs("question") for question in "abc"]
    program = dspy.Predict("question -> answer")
    with pytest.raises(BudgetExceeded) as raised, profile("mock"), stages_for_block([stage]):
        program.batch(examples, num_threads=1, disable_progress_bar=True)
    assert raised.value.message == (
        "budget of this block reached: 2 of 2 calls; blocked a call to mock"
    )
    assert isinstance(raised.value.where, Place)
    assert raised.value.where.file.samefile(__file__)
    assert stage.accounts[0].spent.calls == 2


def test_a_profile_has_its_own_limit_beside_the_owners(lm: Any) -> None:
    both = accounts("calls=9,staging.calls=1")
    staging, other = both.stage("staging"), both.stage("dev")
    assert staging is not None
    assert other is not None
    with stages_for_block([staging]):
        lm("Why?")
        with pytest.raises(Refused, match='budget of profile "staging" reached: 1 of 1 call'):
            lm("Why?")
    with stages_for_block([other]):
        lm("Why?")
    (mine, owners) = staging.accounts
    assert other.accounts == (owners,)
    assert (mine.spent.calls, owners.spent.calls) == (1, 2)


def test_an_inner_account_is_named_first(lm: Any) -> None:
    test = Account("this test", Limits(calls=1))
    with stages_for_block([stage_of("calls=1", None, test)]):
        lm("Why?")
        with pytest.raises(Refused, match="budget of this test reached"):
            lm("Why?")


@pytest.mark.parametrize(("text", "name"), [("", None), ("", "dev"), ("staging.calls=1", "dev")])
def test_without_limits_there_is_no_stage(text: str, name: str | None) -> None:
    assert accounts(text).stage(name) is None


RUN = """
import sys
from pathlib import Path

import dspy
from dspy_profiles import profile
from dspy_profiles.activation import stages_for_block
from dspy_profiles.calls.budget import Accounts, Tally
from dspy_profiles.config import Budgets
from dspy_profiles.errors import BudgetExceeded

budgets = Budgets.from_text("calls=7,mock.tokens=100000")
stage = Accounts("this run", budgets, Tally(Path(sys.argv[1]))).stage("mock")
made = 0
try:
    with profile("mock"), stages_for_block([stage]):
        while True:
            dspy.settings.lm(f"question {made}")
            made += 1
except BudgetExceeded as error:
    assert error.message.startswith("budget of this run reached: 7 of 7 calls"), error
    print(made)
"""


def test_the_processes_of_a_run_share_its_budget(tally: Tally) -> None:
    shared = accounts("calls=7,mock.tokens=100000", "this run", tally).stage("mock")
    assert shared is not None
    for expected in ("7\n", "0\n"):
        words = [sys.executable, "-c", RUN, str(tally.path)]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
        assert (done.stdout, done.returncode) == (expected, 0), done.stderr
    mock, run = (account.spent for account in shared.accounts)
    assert (mock.calls, run.calls) == (7, 7)
    assert mock.tokens == run.tokens > 0
    assert Spent() not in (mock, run)
