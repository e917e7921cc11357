"""What a subtest or a doctest has caught is told apart as any other failure."""

import re
from typing import Any

import pytest

PASSES_BY = "dspy_profiles.calls"  # where the carrier of an error of ours lives: nobody's business


@pytest.mark.skipif(pytest.version_tuple < (9,), reason="subtests came with pytest 9")
def test_a_refused_call_fails_its_subtest_and_the_next_one_runs(
    run_both_ways: Any, suite: Any
) -> None:
    suite("""
        import unittest
        @pytest.mark.dspy_budget(calls=0)
        def test_fixture(subtests):
            with subtests.test(msg="one"):
                ask()  # my own line
            with subtests.test(msg="two"):
                print("two has run")
                assert 1 == 2
        @pytest.mark.dspy_budget(calls=0)
        class TestCase(unittest.TestCase):
            def test_case(self):
                with self.subTest(msg="one"):
                    ask()
                with self.subTest(msg="two"):
                    print("two has run")
                    assert 1 == 2
    """)

    result = run_both_ways("--dspy-profile", "mock")

    text = result.stdout.str()
    assert len(re.findall(r"^SUBFAILED\S* .*dspy: budget: budget of", text, re.MULTILINE)) == 2
    assert len(re.findall(r"^SUBFAILED.*two.* - assert 1 == 2", text, re.MULTILINE)) == 2
    assert "INTERNALERROR" not in text
    assert PASSES_BY not in text
    assert "# my own line" in text


def test_a_failure_in_a_doctest_names_its_kind_and_its_line(run_both_ways: Any, write: Any) -> None:
    write(
        "told.py",
        '''
        import dspy
        def asks():
            """
            >>> 1 + 1
            2
            >>> dspy.Predict("question -> answer")(question="?").answer
            'Paris'
            """
        def asks_twice():
            """
            >>> 1 + 1
            3
            >>> asks_a_model()
            """
        def asks_a_model():
            return dspy.Predict("question -> answer")(question="?").answer  # my own line
        ''',
    )
    words = ("--doctest-modules", "--dspy-profile", "mock", "--dspy-budget", "calls=0")

    result = run_both_ways(*words, "--doctest-continue-on-failure", "told.py")

    text = result.stdout.str()
    for name in ("asks", "asks_twice"):
        assert re.search(rf"^FAILED told.py::told.{name} - dspy: budget: ", text, re.MULTILINE)
    assert re.search(r"told\.py:6: in told\.asks\n>>> dspy\.Predict", text)
    assert re.search(r"told\.py:11: in told\.asks_twice\n>>> 1 \+ 1\nexpected 3, got 2", text)
    assert re.search(r"told\.py:13: in told\.asks_twice\n>>> asks_a_model\(\)", text)
    assert "# my own line" in text
    assert PASSES_BY not in text
