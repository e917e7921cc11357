"""The fixtures of the plugin. Each asks for the active profile when it is used."""

from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_dspy_profiles import _lazy

if TYPE_CHECKING:
    from dspy_profiles.calls import Usage
    from dspy_profiles.objects.engines.mock import MockEngine
    from dspy_profiles.profiles import ResolvedProfile

__all__ = ["ProfileView", "UsageSoFar", "dspy_lm", "dspy_mock", "dspy_profile", "dspy_usage"]


class ProfileView:
    """The active profile, read again at each use: one fixture serves all scopes.

    Without an active profile it is false and equals None. A test gets the profile itself.
    """

    __slots__ = ()

    @property  # type: ignore[misc]  # read-only, and isinstance() asks it
    def __class__(self) -> type:
        return type(_active())

    def __getattr__(self, name: str) -> Any:
        return getattr(_active(), name)

    def __bool__(self) -> bool:
        return _active() is not None

    def __eq__(self, other: object) -> bool:
        return bool(_active() == other)

    __hash__ = None  # type: ignore[assignment]  # a profile has none

    def __repr__(self) -> str:
        return repr(_active())


def _active() -> "ResolvedProfile | None":
    from dspy_profiles.activation import current_profile

    return current_profile()


class UsageSoFar:
    """The usage of the test until now: each attribute is computed when it is read."""

    def __init__(self, test: Any) -> None:
        self._test = test

    @property
    def so_far(self) -> "Usage":
        """All counts at one moment."""
        usage: Usage = self._test.usage
        return usage

    @property
    def calls(self) -> int:
        """Calls that have reached an LM."""
        return self.so_far.calls

    @property
    def tokens(self) -> int:
        """Input and output tokens, as far as they were reported."""
        return self.so_far.tokens

    @property
    def cost(self) -> float | None:
        """Dollars; None if a price is not known."""
        return self.so_far.cost

    @property
    def cached(self) -> int:
        """Calls that DSPy's own cache has answered."""
        return self.so_far.cached

    @property
    def replayed(self) -> int:
        """Calls that a cassette has answered."""
        return self.so_far.replayed

    def __repr__(self) -> str:
        return repr(self.so_far)


@pytest.fixture(scope="session")
def dspy_profile(request: pytest.FixtureRequest) -> "ResolvedProfile | None":
    """Return the active profile, or None."""
    if _lazy.session_plugin(request.config) is None:
        return None
    return cast("ResolvedProfile", ProfileView())


@pytest.fixture
def dspy_lm() -> Any:
    """Return the active LM."""
    return _active_lm("dspy_lm")


@pytest.fixture
def dspy_usage(request: pytest.FixtureRequest) -> UsageSoFar:
    """Return the calls, tokens, cost and cache hits of this test so far."""
    plugin: Any = _lazy.session_plugin(request.config)
    if plugin is None:  # requested by getfixturevalue() in a session without profiles
        pytest.fail(
            "dspy_usage: calls are not counted, because this session uses no profile; "
            "request dspy_usage as an argument of the test",
            pytrace=False,
        )
    return UsageSoFar(plugin.runner().test)


@pytest.fixture
def dspy_mock() -> "MockEngine":
    """Return the mock of this test: script it with `.answer(…)`, read `.calls`."""
    lm = _active_lm("dspy_mock")
    engine: MockEngine | None = getattr(lm, "engine", None)
    if not hasattr(engine, "answer"):
        pytest.fail(f"dspy_mock: the active LM, {lm.model}, is not a mock; {_HINT}", pytrace=False)
    assert engine is not None  # noqa: S101
    return engine


def _active_lm(fixture: str) -> Any:
    import dspy

    if dspy.settings.lm is None:
        pytest.fail(f"{fixture}: no LM is active; {_HINT}", pytrace=False)
    return dspy.settings.lm


_HINT = 'mark the test @pytest.mark.dspy_profile("mock"), or run pytest --dspy-profile mock'
