"""What `[x.provider] class` may name."""

import asyncio
import gc
from pathlib import Path
from typing import Any

import dspy
import pytest

from dspy_profiles import ProfileError, lm, plugins, profile
from dspy_profiles.errors import ProviderError
from dspy_profiles.objects import ProfileProvider

pytestmark = pytest.mark.usefixtures("clean_dspy")

MODULE = """
import dspy
from dspy.clients.provider import Provider
from dspy.lm15 import Message, Response, TextPart, Usage

closed = []


def reply(text):
    usage = Usage(input_tokens=1, output_tokens=1, total_tokens=2)
    text = f"[[ ## answer ## ]]\\n{text}\\n\\n[[ ## completed ## ]]"
    return Response(id=None, model="m", message=Message.assistant([TextPart(text)]),
                    finish_reason="stop", usage=usage)


class Engine:
    def __init__(self, word="engine", api_base=None):
        self.word, self.api_base = word, api_base

    def complete(self, request):
        return reply(self.word)


class Sulks(Engine):
    def __init__(self):
        raise ValueError("not today")


class BothWays(Engine):
    async def acomplete(self, request):
        return reply("async " + self.word)


engine = Engine("an object")


class Trainer(Provider):
    def __init__(self, level=1):
        super().__init__()
        self.level = level


class MyLM(dspy.BaseLM):
    def __init__(self, model, extra=None, **kwargs):
        super().__init__(model, **kwargs)
        self.extra = extra


class Whole:
    def __init__(self, threads=1):
        self.threads = threads

    def build(self, profile):
        return {"num_threads": self.threads, "lm": dspy.LM("openai/" + profile.name)}

    def close(self):
        closed.append(self.threads)


class WrongWhole:
    def build(self, profile):
        return 3


class WrongKey:
    def build(self, profile):
        return {"num_thread": 3}


class WrongCallbacks:
    def build(self, profile):
        return {"callbacks": 3}


class Fails:
    def build(self, profile):
        raise ValueError("it is Sunday")


class Kind(type):
    def complete(cls, request):
        return reply("a class")


class OnlyItsClass(metaclass=Kind):
    pass


class Neither:
    pass


def function():
    pass
"""


@pytest.fixture(autouse=True)
def module(write: Any, project: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    import sys

    monkeypatch.delitem(sys.modules, "my_providers", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    write(project / "my_providers.py", MODULE)


@pytest.fixture
def provider(write: Any, project: Path) -> Any:
    def write_profile(cls: str, arguments: str = "", lm: str = 'model = "own/model"') -> None:
        text = f'[p.provider]\nclass = "{cls}"\n{arguments}\n'
        write(project / "profiles.toml", text + (f"[p.lm]\n{lm}\n" if lm else ""))

    return write_profile


def ask() -> str:
    text: str = dspy.Predict("question -> answer")(question="?").answer
    return text


@pytest.mark.parametrize("path", ["my_providers.Engine", "my_providers:Engine"])
def test_an_engine_class_goes_into_an_lm_with_its_arguments(path: str, provider: Any) -> None:
    provider(
        path, 'word = "hello"\napi_base = "https://my.example"', 'model = "own/m"\ncache = false'
    )
    with profile("p"):
        assert dspy.settings.lm.model == "own/m"
        assert dspy.settings.lm.engine.api_base == "https://my.example"
        assert ask() == "hello"


def test_an_engine_that_can_await_gets_an_async_side(provider: Any) -> None:
    provider("my_providers.BothWays", "", 'model = "own/m"\ncache = false')

    async def ask_async() -> str:
        said = await dspy.Predict("question -> answer").acall(question="?")
        return str(said.answer)

    with profile("p"):
        assert ask() == "engine"
        assert asyncio.run(ask_async()) == "async engine"


def test_an_object_is_an_engine_as_it_is_and_takes_no_arguments(provider: Any) -> None:
    provider("my_providers.engine", "", 'model = "own/m"\ncache = false')
    with profile("p"):
        assert ask() == "an object"
    provider("my_providers.engine", "word = 'x'")
    with pytest.raises(ProfileError, match="accepts no arguments: word"):
        lm("p", temperature=0)


def test_a_base_lm_class_is_built_with_the_lm_section(provider: Any) -> None:
    provider("my_providers.MyLM", 'extra = "more"', 'model = "own/m"\ntemperature = 0.5')
    made = lm("p")
    assert (type(made).__name__, made.model, made.extra) == ("MyLM", "own/m", "more")
    assert made.kwargs["temperature"] == 0.5


def test_a_dspy_provider_trains_the_lm(provider: Any) -> None:
    provider("my_providers.Trainer", "level = 3")
    made = lm("p")
    assert type(made) is dspy.LM
    assert made.provider.level == 3


def test_a_profile_provider_makes_settings_and_is_closed_when_dropped(
    provider: Any, write: Any, project: Path
) -> None:
    provider("my_providers.Whole", "threads = 5", lm="")
    with profile("p"):
        assert dspy.settings.num_threads == 5
        assert dspy.settings.lm.model == "openai/p"
        first = dspy.settings.lm
    with profile("p"):
        assert dspy.settings.lm is first is lm("p")
    import my_providers  # type: ignore[import-not-found]

    assert isinstance(my_providers.Whole(), ProfileProvider)
    assert my_providers.closed == []
    provider("my_providers.Whole", "threads = 6", lm="")
    with profile("p"):
        assert dspy.settings.num_threads == 6
    gc.collect()
    assert my_providers.closed == [5]


def test_what_is_no_provider_is_told_with_what_was_expected(provider: Any) -> None:
    provider("my_providers.Neither")
    with pytest.raises(ProviderError, match="expected a dspy.BaseLM class, an engine"):
        lm("p")
    provider("my_providers.function")
    with pytest.raises(ProviderError, match="is not a provider"):
        lm("p")
    provider("my_providers.OnlyItsClass")
    with pytest.raises(ProviderError, match="OnlyItsClass. did not create a provider"):
        lm("p")


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        ("WrongWhole", "must return a dict of settings, not int"),
        ("WrongKey", 'returned "num_thread", which dspy.settings lacks'),
        ("WrongCallbacks", "must be a list"),
        ("Fails", "failed: ValueError: it is Sunday"),
    ],
)
def test_what_a_profile_provider_may_not_do_is_said_with_its_place(
    cls: str, said: str, provider: Any
) -> None:
    provider(f"my_providers.{cls}", lm="")
    with pytest.raises(ProviderError) as error, profile("p"):
        pass
    assert said in str(error.value)
    assert "profiles.toml:2" in str(error.value)


def test_a_constructor_that_raises_is_the_providers_fault(provider: Any) -> None:
    provider("my_providers.Sulks")
    with pytest.raises(ProviderError, match=r"Sulks: ValueError: not today[\s\S]*profiles.toml:"):
        lm("p")


def test_one_engine_serves_all_roles_of_a_profile(write: Any, project: Path) -> None:
    write(
        project / "profiles.toml",
        '[p.provider]\nclass = "mock"\n[p.lms.teacher]\nmodel = "openai/expensive"\n',
    )
    assert lm("p").engine is lm("p", role="teacher").engine
    assert lm("p", role="teacher").model == "openai/expensive"


def test_mock_has_an_lm_for_any_role_and_asks_for_no_key(write: Any, project: Path) -> None:
    write(
        project / "profiles.toml",
        '[prod.lm]\nmodel = "openai/gpt-4o"\napi_key = "${NOT_THERE}"\napi_base = "http://x"\n'
        '[offline]\nextends = "prod"\n[offline.provider]\nclass = "mock"\n',
    )
    assert lm("mock", role="judge").model == "mock/judge"
    with profile("offline"):
        assert ask().startswith("mock answer")
        assert dspy.settings.lm.model == "openai/gpt-4o"
        assert "api_key" not in dspy.settings.lm.kwargs


def test_mock_never_uses_dspys_cache() -> None:
    assert lm("mock").cache is False
    assert lm("mock").num_retries == 0


def test_a_plugin_may_bring_a_provider_by_short_name(provider: Any) -> None:
    class Plugin:
        @plugins.hookimpl
        def dspy_profiles_providers(self) -> dict[str, object]:
            return {"house": "my_providers:Engine"}

    plugin = Plugin()
    plugins.manager().register(plugin)
    try:
        provider("house", 'word = "by plugin"', 'model = "own/m"\ncache = false')
        with profile("p"):
            assert ask() == "by plugin"
    finally:
        plugins.manager().unregister(plugin)


def test_listeners_hear_of_profiles_that_are_loaded_activated_and_left(provider: Any) -> None:
    heard: list[tuple[str, str]] = []

    class Plugin:
        @plugins.hookimpl
        def dspy_profiles_loaded(self, profile: Any) -> None:
            heard.append(("loaded", profile.name))

        @plugins.hookimpl
        def dspy_profiles_activated(self, profile: Any) -> None:
            heard.append(("activated", profile.name))

        @plugins.hookimpl
        def dspy_profiles_deactivated(self, profile: Any) -> None:
            heard.append(("deactivated", profile.name))

    plugin = Plugin()
    plugins.manager().register(plugin)
    try:
        for _ in range(2):
            with profile("mock"):
                heard.append(("inside", "mock"))
    finally:
        plugins.manager().unregister(plugin)
    once = [("activated", "mock"), ("inside", "mock"), ("deactivated", "mock")]
    assert heard == [("loaded", "mock"), *once, *once]
    assert plugins.listening.isdisjoint({"dspy_profiles_activated"})


def test_lm_hands_out_the_same_lm_of_a_profile_provider_that_is_still_open(provider: Any) -> None:
    provider("my_providers.Whole", "threads = 7", lm="")
    first = lm("p")
    import my_providers

    gc.collect()
    assert my_providers.closed == []
    assert lm("p") is first
    with profile("p"):
        assert dspy.settings.lm is first
