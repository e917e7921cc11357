"""Each private name of DSPy that we lean on; the test says what breaks without it."""

import asyncio
import importlib.util
import inspect
import sys
from contextvars import ContextVar
from typing import Any

import dspy
import pytest
from tests.shapes import lm15

from dspy_profiles import _dspy, current_profile, profile
from dspy_profiles._dspy import _engines_patch, _names, _other_doors
from dspy_profiles.activation import CACHE
from dspy_profiles.activation import _block as block
from dspy_profiles.activation import _session as session
from dspy_profiles.errors import ProfileError
from dspy_profiles.profiles import _sections as sections


def test_blocks_are_laid_over_the_variable_behind_dspy_context() -> None:
    variable = _dspy.block_overrides()
    assert isinstance(variable, ContextVar), "profile() falls back to dspy.context, a full copy"
    with dspy.context(num_threads=3):
        assert variable.get()["num_threads"] == 3


def test_sessions_are_pinned_in_what_configure_writes_to() -> None:
    config = _dspy.base_config()
    assert config is not None, "sessions cannot be pinned: run and pytest do not work"
    assert {"lm", "adapter", "rm", "callbacks"} <= config.keys()
    assert type(config).__setitem__ is dict.__setitem__


def test_the_default_profile_fills_what_stands_at_dspys_defaults() -> None:
    defaults = _dspy.own_defaults()
    assert defaults["lm"] is None, "the default profile fills nothing"
    assert defaults["num_threads"] == 8


def test_the_list_of_client_keys_is_dspys_own() -> None:
    assert _dspy.shape().client_keys() == sections.CLIENT_KEYS


def test_without_the_variable_blocks_go_through_dspy_context(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_dspy, "block_overrides", lambda: None)
    block._variable.cache_clear()
    try:
        with profile("mock", settings={"callbacks": []}) as p:
            assert dspy.settings.lm.model == "mock"
            assert current_profile() is p
            with profile("mock", lm={"model": "inner"}):
                assert dspy.settings.lm.model == "inner"
            assert dspy.settings.lm.model == "mock"

        async def task() -> str:
            with profile("mock", lm={"model": "task"}):
                await asyncio.sleep(0)
                return str(dspy.settings.lm.model)

        assert asyncio.run(task()) == "task"
        assert dspy.settings.lm is None
    finally:
        block._variable.cache_clear()


def test_without_the_config_a_session_says_that_it_cannot_be_pinned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_dspy, "base_config", lambda: None)
    with pytest.raises(ProfileError, match="cannot be pinned"):
        session.pin_session(CACHE.get("mock", {}))


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(inspect.unwrap(function)).parameters)


def test_calls_are_tapped_where_dspy_chooses_their_engine_and_where_it_ends_them() -> None:
    module = _names.doors(_engines_patch.EXECUTION, "_select_engine", "finalize")
    assert module is not None, "no call passes a stage: no guard, no budget, no cassette"
    assert parameters(module._select_engine) == ["lm", "call", "asynchronous"]
    assert parameters(module.finalize) == ["lm", "call", "result"]


def test_embedders_are_tapped_behind_dspys_cache() -> None:
    names = ("_compute_embeddings", "_acompute_embeddings")
    module = _names.doors(_other_doors.EMBEDDING, *names)
    assert module is not None, "the guard does not hold embedders"
    for name in names:
        assert parameters(getattr(module, name))[:2] == ["model", "batch_inputs"]
        assert name in inspect.unwrap(getattr(module, f"_cached{name}")).__code__.co_names


@pytest.mark.parametrize("kind", ["get", "post"])
def test_retrievers_are_tapped_behind_dspys_cache(kind: str) -> None:
    name = f"colbertv2_{kind}_request_v2"
    module = _names.doors(_other_doors.COLBERT, name)
    assert module is not None, "the guard does not hold retrievers"
    assert hasattr(getattr(module, name), "__wrapped__"), "there is no cache to stand behind"
    assert parameters(getattr(module, name)) == ["url", "query", "k"]


def test_a_door_that_has_gone_is_said_to_be_gone() -> None:
    assert _names.doors("dspy.clients.gone", "name") is None
    assert _names.doors(_engines_patch.EXECUTION, "gone") is None
    assert _names.doors(_engines_patch.EXECUTION, "finalize", "gone") is None
    assert _names.doors(_engines_patch.EXECUTION, "__name__") is None  # no function


def test_a_retriever_behind_its_tap_is_cached_as_dspy_caches_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_memory = dspy.clients.Cache(
        enable_disk_cache=False, enable_memory_cache=True, disk_cache_dir=None
    )
    monkeypatch.setitem(vars(dspy), "cache", in_memory)
    asked: list[str] = []

    def ask(query: str) -> list[str]:
        asked.append(query)
        return [query]

    cached = _names.cached_again(ask)
    assert cached("a") == cached("a") == ["a"]
    assert asked == ["a"], "what dspy.ColBERTv2 has cached is asked for again"
    monkeypatch.setitem(sys.modules, "dspy.clients.cache", None)
    assert _names.cached_again(ask) is ask


def test_dspys_dummy_is_known_to_ask_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    dummy = dspy.utils.DummyLM([{"answer": "1"}])
    assert _dspy.shape().is_dummy(dummy._engine_spec), "the guard holds dspy.utils.DummyLM"
    assert _dspy.shape().is_dummy(dummy._async_engine_spec)
    assert not _dspy.shape().is_dummy(dummy)
    assert not _dspy.shape().is_dummy(object())
    engines = sys.modules["dspy.clients.engines"]
    monkeypatch.delattr(engines, "dummy_engine")
    monkeypatch.setitem(sys.modules, "dspy.clients.engines.dummy_engine", None)
    assert not _dspy.shape().is_dummy(dummy._engine_spec)


def test_what_makes_a_failed_example_of_an_error_is_known_by_its_module() -> None:
    seen: list[bool] = []

    class Program(dspy.Module):  # type: ignore[misc]
        def forward(self, **_: object) -> dspy.Prediction:
            seen.append(_dspy.is_swallowing())
            return dspy.Prediction()

    Program()()
    examples = [dspy.Example(question="Why?").with_inputs("question")]
    quiet: dict[str, Any] = {"display_progress": False, "num_threads": 1}
    dspy.Evaluate(devset=examples, metric=lambda *_: 1.0, **quiet)(Program())
    dspy.Parallel(num_threads=1, disable_progress_bar=True)([(Program(), {})])
    assert seen == [False, True, True], "a miss is a failed example of a decorated program"
    for name in ("predict.react", "predict.best_of_n", "predict.refine", "teleprompt.bootstrap"):
        assert importlib.util.find_spec(f"dspy.{name}"), f"{name} swallows errors elsewhere now"


def test_tokens_are_counted_as_dspy_counts_them() -> None:
    usage = lm15.Usage(input_tokens=10, output_tokens=2, total_tokens=12, cache_read_tokens=5)
    response = lm15.Response(
        id="1",
        model="model",
        message=lm15.Message.assistant([lm15.TextPart("said")]),
        finish_reason="stop",
        usage=usage,
    )
    assert _dspy.shape().usage_of(response, "openai")["total_tokens"] == 12
    counted = _dspy.shape().usage_of(response, "anthropic")
    assert counted["total_tokens"] == 17, "what Anthropic read from its cache is left out"


def test_the_history_is_the_one_that_dspy_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # prices come with DSPy
    shown = _dspy.history()
    assert shown is sys.modules["dspy.clients.base_lm"].GLOBAL_HISTORY
    lm = dspy.utils.DummyLM([{"answer": "1"}])
    before = len(shown)
    lm("Why?")
    assert _dspy.history() is shown
    assert len(shown) == before + 1, "calls of one test are shown in the next"
    shown.pop()


def test_without_the_history_it_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("dspy.clients.base_lm.GLOBAL_HISTORY")
    assert _dspy.history() == []


def test_the_entry_of_a_call_is_known_by_its_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    lm = dspy.utils.DummyLM([{"answer": "1"}] * 2)
    lm("Why?"), lm("Why?")
    first, second = lm.history
    _names.mark(first["outputs"], replayed=True)
    assert first["replayed"] is True, "a replayed call cannot be told from one that was made"
    assert "replayed" not in second
    assert sum(entry is first for entry in _dspy.history()) == 1
    _names.mark(["1"], replayed=True)  # equal, and of no call
    assert "replayed" not in second
    del _dspy.history()[-2:]


def test_what_was_sent_to_a_reader_is_noted_so_that_it_is_not_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    progress = {"emitted": False}
    with dspy.context(_lm_stream_progress=progress):
        with monkeypatch.context() as patched:
            patched.setitem(sys.modules, "dspy.clients.call_context", None)
            _dspy.note_emitted()
        assert progress == {"emitted": False}
        _dspy.note_emitted()
    assert progress == {"emitted": True}, "DSPy tries a call again whose chunks have been seen"


def test_the_owner_is_who_may_configure() -> None:
    before = _dspy.owner()
    try:
        _dspy.set_owner((None, None))

        async def configure() -> None:
            dspy.configure(num_threads=8)

        asyncio.run(configure())
        thread, task = _dspy.owner()
        assert thread is not None
        assert task is not None
        with pytest.raises(RuntimeError):
            asyncio.run(configure())
        _dspy.set_owner((thread, None))
        asyncio.run(configure())
    finally:
        _dspy.set_owner(before)


def test_without_the_names_of_the_owner_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["dspy.dsp.utils.settings"]
    with monkeypatch.context() as patched:
        patched.delattr(module, "config_owner_async_task")
        assert _dspy.owner()[1] is None
        _dspy.set_owner((None, None))
        assert not hasattr(module, "config_owner_async_task")
