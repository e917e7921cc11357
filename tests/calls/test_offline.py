"""`offline = True` on an engine or an LM class: guard, budget, record and doctor all know it."""

from collections.abc import Iterator
from typing import Any

import dspy
import pytest

from dspy_profiles import _dspy, lm, plugins, profile
from dspy_profiles.calls import Guard, Meter
from dspy_profiles.calls.budget import Account, Budget
from dspy_profiles.cli.doctor._live import calls as live_calls
from dspy_profiles.cli.doctor._walk import examine
from dspy_profiles.config import Limits
from dspy_profiles.results import open_store, record

SOURCE = """
import dspy

class Canned:
    def complete(self, request):
        return dspy.lm15.Response(
            id=None,
            model=request.model,
            message=dspy.lm15.Message.assistant("[[ ## answer ## ]]\\nParis"),
            finish_reason="stop",
            usage=dspy.lm15.Usage(input_tokens=1, output_tokens=1, total_tokens=2),
        )

class Offline(Canned):
    offline = True

class OfflineLM(dspy.LM):
    offline = True

    def __init__(self, model, **arguments):
        super().__init__(model, engine=Canned(), **arguments)
"""


@pytest.fixture
def profiles(write: Any, monkeypatch: pytest.MonkeyPatch, project: Any) -> Iterator[None]:
    """Profiles whose providers a plugin has registered."""
    write("house_canned.py", SOURCE)
    write(
        "profiles.toml",
        """
        engine = { provider.class = "house-engine", lm.model = "house/m" }
        class = { provider.class = "house-class", lm.model = "house/m", lm.cache = false }
        live = { provider.class = "house-live", lm.model = "house/m", lm.cache = false }
        """,
    )
    monkeypatch.syspath_prepend(str(project))

    class Plugin:
        @plugins.hookimpl
        def dspy_profiles_providers(self) -> dict[str, object]:
            return {
                "house-engine": "house_canned:Offline",
                "house-class": "house_canned:OfflineLM",
                "house-live": "house_canned:Canned",
            }

    plugin = Plugin()
    plugins.manager().register(plugin)
    yield
    plugins.manager().unregister(plugin)


@pytest.mark.parametrize("name", ["engine", "class"])
def test_a_plugins_offline_provider_makes_no_live_calls(
    name: str, profiles: None, stand: Any
) -> None:
    meter, account = Meter(), Account("this test", Limits(usd=1))
    stand(meter, Guard("this test", "--dspy-live block", "use a mock"), Budget([account]))
    with open_store("sqlite:results.db") as store:
        with profile(name), record("a run", store=store) as experiment:
            assert dspy.Predict("question -> answer")(question="Why?").answer == "Paris"
        assert store.get_experiment(experiment.id).cost == 0.0
    assert (meter.so_far.calls, meter.so_far.cost, account.spent.usd) == (1, 0.0, 0.0)
    route = live_calls(examine([name]))[name].route
    assert (route.host, route.offline) == ("offline", True)


def test_a_plugins_other_provider_does(profiles: None) -> None:
    assert not _dspy.shape().is_offline(lm("live"))
    assert not live_calls(examine(["live"]))["live"].route.offline


def test_an_lm_is_offline_by_its_engine_or_by_itself(profiles: None) -> None:
    assert _dspy.shape().is_offline(lm("engine"))
    assert _dspy.shape().is_offline(lm("class"))
    assert _dspy.shape().is_offline(dspy.utils.DummyLM([{"answer": "x"}]))
    assert not _dspy.shape().is_offline(None)


def test_the_engine_that_serves_decides(engine: Any, lm_of: Any) -> None:
    offline, live = lm_of(engine(offline=True)), engine()
    assert _dspy.shape().is_offline(offline, offline._async_engine_spec)  # by the engine behind it
    assert not _dspy.shape().is_offline(offline, live)
