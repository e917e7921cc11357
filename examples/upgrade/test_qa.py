import dspy
import pytest
from qa import capital, place, talk

pytestmark = [pytest.mark.dspy_profile("staging"), pytest.mark.dspy_cassette]


def test_capital():
    assert capital(country="France").capital == "Paris"


def test_talk():
    earlier = dspy.History(messages=[{"question": "Where is Lima?", "answer": "In Peru."}])
    assert "Spanish" in talk(question="What is spoken there?", history=earlier).answer


def test_place():
    with dspy.context(adapter=dspy.ChatAdapter(use_json_adapter_fallback=False)):
        assert place(name="Lima").city == "Lima"
