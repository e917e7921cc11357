"""The fixtures that tests ask for."""

from typing import TYPE_CHECKING, Any

import pytest

from pytest_dspy_profiles import _lazy

if TYPE_CHECKING:
    from dspy_profiles.calls import Usage
    from dspy_profiles.objects.engines.mock import MockEngine
    from dspy_profiles.profiles import ResolvedProfile

__all__ = ["UsageSoFar", "dspy_lm", "dspy_mock", "dspy_profile", "dspy_usage"]


class UsageSoFar:
    """What the test has used until now: each attribute is read anew."""

    def __init__(self, test: Any) -> None:
        self._test = test

    @property
    def so_far(self) -> "Usage":
        """All of it at one moment."""
        usage: Usage = self._test.usage
        return usage

    @property
    def calls(self) -> int:
        """Calls that have reached an LM."""
        return self.so_far.calls

    @property
    def tokens(self) -> int:
        """Tokens, in and out, as far as they were reported."""
        return self.so_far.tokens

    @property
    def cost(self) -> float | None:
        """Dollars; None where a price is not known."""
        return self.so_far.cost

    @property
    def cached(self) -> int:
        """Calls that DSPy's own cache has answered."""
        return self.so_far.cached

    @property
    def replayed(self) -> int:
        """Calls that a recording has answered."""
        return self.so_far.replayed

    def __repr__(self) -> str:
        return repr(self.so_far)


@pytest.fixture(scope="session")
def dspy_profile(request: pytest.FixtureRequest) -> "ResolvedProfile | None":
    """The profile that is in effect, resolved; None where none is."""
    suite = _lazy.suite(request.config)
    return None if suite is None else suite.running().stand.active()


@pytest.fixture
def dspy_lm() -> Any:
    """The LM that is in effect."""
    return _lm_for("dspy_lm")


@pytest.fixture
def dspy_usage(request: pytest.FixtureRequest) -> UsageSoFar:
    """Calls, tokens, cost and cache hits of this test so far."""
    suite: Any = _lazy.suite(request.config)
    if suite is None:  # nobody saw it coming
        pytest.fail(
            "dspy_usage: calls are not counted, as nothing in this session asks for a profile; "
            "ask for it as an argument of the test",
            pytrace=False,
        )
    return UsageSoFar(suite.running().test)


@pytest.fixture
def dspy_mock() -> "MockEngine":
    """The mock that answers this test: script it with `.answer(…)`, read `.calls`."""
    lm = _lm_for("dspy_mock")
    engine: MockEngine | None = getattr(lm, "engine", None)
    if not hasattr(engine, "answer"):
        pytest.fail(f"dspy_mock: the LM in effect, {lm.model}, is no mock; {_HINT}", pytrace=False)
    assert engine is not None  # noqa: S101
    return engine


def _lm_for(fixture: str) -> Any:
    import dspy

    if dspy.settings.lm is None:
        pytest.fail(f"{fixture}: no LM is in effect here; {_HINT}", pytrace=False)
    return dspy.settings.lm


_HINT = 'mark the test @pytest.mark.dspy_profile("mock"), or run it with --dspy-profile mock'
