"""What a program sees when it is replayed is what it saw when it was recorded."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import dspy
import pytest
from dspy.utils.callback import BaseCallback
from tests.shapes import engine_lm, lm15

from dspy_profiles import _dspy
from dspy_profiles.activation import _stages as stages
from dspy_profiles.calls import Meter
from dspy_profiles.calls.cassettes import Cassette, stages_for
from dspy_profiles.objects.engines._async import AsyncSide
from dspy_profiles.objects.engines.mock import MockEngine


class Noted(BaseCallback):  # type: ignore[misc]
    """Keeps what DSPy says of its calls."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def on_module_end(self, call_id: Any, outputs: Any, exception: Any) -> None:
        self.events.append(("module", repr(outputs), repr(exception)))

    def on_lm_start(self, call_id: Any, instance: Any, inputs: Any) -> None:
        self.events.append(("lm start", repr(inputs["messages"])))

    def on_lm_end(self, call_id: Any, outputs: Any, exception: Any) -> None:
        self.events.append(("lm", repr(outputs), repr(exception)))

    def on_adapter_parse_end(self, call_id: Any, outputs: Any, exception: Any) -> None:
        self.events.append(("parse", repr(outputs), repr(exception)))

    def on_tool_end(self, call_id: Any, outputs: Any, exception: Any) -> None:
        self.events.append(("tool", repr(outputs), repr(exception)))


def weather(city: str) -> str:
    """The weather there."""
    return f"rain in {city}"


def predict() -> Any:
    return dspy.Predict("question -> answer")(question="Why?")


def chain_of_thought() -> Any:
    return dspy.ChainOfThought("question -> answer: int")(question="How many?")


def react() -> Any:
    return dspy.ReAct("question -> answer", tools=[weather], max_iters=2)(question="Rain?")


def several() -> Any:
    module = dspy.Predict("question -> answer")
    found = module(question="Why?", config={"n": 2, "temperature": 1.0})
    return found.completions.answer


def json_adapter() -> Any:
    with dspy.context(adapter=dspy.JSONAdapter()):
        return dspy.Predict("question -> answers: list[str]")(question="Which?")


def in_parallel() -> Any:
    module = dspy.Predict("question -> answer")
    examples = [dspy.Example(question=str(n)).with_inputs("question") for n in range(40)]
    run = dspy.Parallel(num_threads=8, disable_progress_bar=True)
    return [found.answer for found in run([(module, each) for each in examples])]


def evaluated() -> Any:
    module = dspy.Predict("question -> answer")
    examples = [
        dspy.Example(question=str(n), answer="x").with_inputs("question") for n in range(20)
    ]

    def metric(example: Any, found: Any, trace: Any = None) -> Any:
        return len(found.answer) % 2

    evaluate = dspy.Evaluate(devset=examples, metric=metric, num_threads=4, display_progress=False)
    return evaluate(module).score


def gathered() -> Any:
    module = dspy.Predict("question -> answer")

    async def main() -> Any:
        found = await asyncio.gather(*(module.acall(question=str(n)) for n in range(100)))
        return [each.answer for each in found]

    return asyncio.run(main())


def streamed() -> Any:
    program = dspy.streamify(
        dspy.Predict("question -> answer"),
        stream_listeners=[dspy.streaming.StreamListener(signature_field_name="answer")],
    )

    async def main() -> Any:
        return [repr(chunk) async for chunk in program(question="Why?")]

    return asyncio.run(main())


def best_of_three() -> Any:
    module = dspy.Predict("question -> answer")
    best = dspy.BestOfN(module, N=3, reward_fn=lambda _, found: len(found.answer), threshold=99)
    return best(question="Why?")


def compiled() -> Any:
    examples = [dspy.Example(question=str(n), answer="x").with_inputs("question") for n in range(4)]
    bootstrap = dspy.BootstrapFewShot(metric=lambda *_: True, max_bootstrapped_demos=2)
    return bootstrap.compile(dspy.Predict("question -> answer"), trainset=examples).demos


DIFFERS = ("timestamp", "uuid", "replayed")  # each time, and with each replay
PROGRAMS = (
    best_of_three,
    compiled,
    predict,
    chain_of_thought,
    react,
    several,
    json_adapter,
    in_parallel,
    evaluated,
    gathered,
    streamed,
)
IN_ORDER = {
    best_of_three,
    compiled,
    predict,
    chain_of_thought,
    react,
    several,
    json_adapter,
    streamed,
}


def seen(program: Any, lm: Any, cassette: Any) -> Any:
    """Everything that can be seen of a run."""
    noted, meter = Noted(), Meter()
    stages.set_process_stages((meter, *stages_for(cassette)))
    try:
        with dspy.context(lm=lm, callbacks=[noted]), dspy.track_usage() as tracker:
            result = program()
    finally:
        stages.set_process_stages(())
    history = [
        repr(sorted((k, v) for k, v in entry.items() if k not in DIFFERS))
        for entry in _dspy.history()
    ]
    _dspy.history().clear()
    usage = tracker.get_total_tokens()
    events = noted.events if program in IN_ORDER else sorted(noted.events)
    if program not in IN_ORDER:
        history.sort()
    return {"result": repr(result), "history": history, "usage": usage, "events": events}, meter


def mock_lm() -> Any:
    engine = MockEngine()
    return engine_lm("mock", engine=engine, async_engine=AsyncSide(engine), cache=False)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_the_same_is_seen_in_this_process(program: Any, path: Any, silent: Any) -> None:
    recording = Cassette(path, "once")
    first, _ = seen(program, mock_lm(), recording)
    assert recording.save()
    silent.model = "mock"
    engine = silent._engine_spec  # what is asked depends on what an engine says that it can
    engine.supports_response_schema, engine.supported_params = False, frozenset()
    cassette = Cassette(path, "none")
    again, meter = seen(program, silent, cassette)
    assert again == first
    assert first["history"]
    assert meter.so_far.calls == 0
    assert meter.so_far.replayed == cassette.replayed > 0
    assert cassette.unused == []


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_recording_again_gives_the_same_file_to_the_byte(program: Any, path: Any) -> None:
    files = []
    for _ in range(2):
        cassette = Cassette(path, "all")
        seen(program, mock_lm(), cassette)
        cassette.save()
        files.append(path.read_bytes())
    assert files[0] == files[1]


def test_the_same_is_seen_in_a_fresh_process(path: Any, tmp_path: Any) -> None:
    recording = Cassette(path, "once")
    lm = mock_lm()
    stages.set_process_stages(stages_for(recording))
    with dspy.context(lm=lm):
        first = [repr(program()) for program in (chain_of_thought, react, several, gathered)]
    stages.set_process_stages(())
    recording.save()
    script = tmp_path / "replay.py"
    script.write_text(
        dedent(f"""
        import importlib.util, json, sys
        sys.path.append({str(Path(__file__).parents[2])!r})
        spec = importlib.util.spec_from_file_location("programs", {__file__!r})
        programs = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(programs)
        import dspy
        from dspy_profiles.activation import _stages as stages
        from dspy_profiles.calls.cassettes import Cassette, stages_for

        class Never:
            supports_function_calling = True

            def complete(self, request):
                raise SystemExit("the model was asked")

            acomplete = complete

        never = Never()
        stages.set_process_stages(stages_for(Cassette({str(path)!r}, "none")))
        lm = dspy.LM("mock", engine=never, async_engine=programs.AsyncSide(never), cache=False)
        with dspy.context(lm=lm):
            names = ("chain_of_thought", "react", "several", "gathered")
            print(json.dumps([repr(getattr(programs, name)()) for name in names]))
        """)
    )
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == first


def test_tool_calls_reasoning_citations_and_logprobs_come_back(
    path: Any, playing: Any, lm_of: Any, silent: Any
) -> None:
    parts = [
        lm15.ThinkingPart("Well…"),
        lm15.TextPart("Paris"),
        lm15.CitationPart(text="It is Paris", url="https://example.org", title="Towns"),
        lm15.ToolCallPart(id="call_1", name="look", input={"n": 2**70, "x": {"$int": "3"}}),
    ]
    logprobs = (lm15.TokenLogprob(token="Paris", logprob=-0.25, bytes=(80,), top=()),)
    usage = lm15.Usage(
        input_tokens=7, output_tokens=5, reasoning_tokens=3, cache_read_tokens=2, total_tokens=12
    )
    said = lm15.Response(
        id="resp_1",
        model="own/model-2026",
        message=lm15.Message.assistant(parts),
        finish_reason="tool_call",
        usage=usage,
        logprobs=logprobs,
        provider_data={"service_tier": "priority", "created": 17},
    )
    request = lm15.Request(model="own/model", messages=(lm15.Message.user("Where?"),))
    with playing("once", lm_of(said)):
        first = dspy.settings.lm(request)
    with playing("none", silent):
        again = dspy.settings.lm(request)
    assert again == first
    assert again.message == said.message
    assert (again.usage, again.logprobs, again.model) == (usage, logprobs, said.model)
    assert again.provider_data == {"service_tier": "priority"}  # the price depends on it
    assert again.id is None


def test_the_order_of_a_tools_arguments_is_the_same(playing: Any, lm_of: Any, silent: Any) -> None:
    call = lm15.ToolCallPart(id="1", name="look", input={"to": 1, "at": {"z": 1, "a": 2}})
    said = lm15.Response(
        id=None,
        model="m",
        message=lm15.Message.assistant([call]),
        finish_reason="tool_call",
        usage=lm15.Usage(),
    )
    request = lm15.Request(model="own/model", messages=(lm15.Message.user("Where?"),))
    seen = []
    for mode, lm in (("once", lm_of(said)), ("none", silent)):
        with playing(mode, lm):  # the next prompt may have them in it
            seen.append(json.dumps(dspy.settings.lm(request).tool_calls[0].input))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_its_entry_in_the_history_is_marked_as_replayed(
    asynchronous: Any, playing: Any, lm_of: Any, silent: Any
) -> None:
    def ask(question: Any) -> Any:
        predict = dspy.Predict("question -> answer")
        if asynchronous:
            return asyncio.run(predict.acall(question=question))
        return predict(question=question)

    lm = lm_of("Paris", "Madrid")
    with playing("once", lm):
        ask("France?")
    with playing("new", lm):
        ask("France?"), ask("Spain?")
    with playing("none", silent):
        ask("Spain?")
    assert [entry.get("replayed") for entry in lm.history] == [None, True, None]
    (entry,) = silent.history
    assert entry["replayed"] is True
    assert entry["usage"] == lm.history[-1]["usage"]


def test_a_call_of_which_a_part_was_asked_is_not_marked(playing: Any, lm_of: Any) -> None:
    config = {"n": 2, "temperature": 1.0}
    lm = lm_of("one", "two", "three")
    with playing("once", lm):
        dspy.Predict("question -> answer")(question="Why?", config={"temperature": 1.0})
    with playing("new", lm) as cassette:
        dspy.Predict("question -> answer")(question="Why?", config=config)
    assert (cassette.replayed, cassette.recorded) == (1, 0)  # it was saved
    with playing("none", lm):
        dspy.Predict("question -> answer")(question="Why?", config=config)
    assert [entry.get("replayed") for entry in lm.history] == [None, None, True]


def test_each_thread_marks_its_own_call(playing: Any, lm_of: Any, silent: Any) -> None:
    with playing("once", lm_of(*["Paris"] * 40)):
        in_parallel()
    with playing("none", silent):
        in_parallel()
    assert [entry.get("replayed") for entry in silent.history] == [True] * 40


def test_without_a_history_nothing_is_marked(
    playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    with playing("once", lm_of("Paris")):
        ask()
    (before,) = _dspy.history()
    with playing("none", silent), dspy.context(disable_history=True):
        assert ask() == "Paris"
    assert _dspy.history() == [before]
    assert "replayed" not in before


def test_what_dspys_dummy_says_can_be_recorded_too(playing: Any, silent: Any, ask: Any) -> None:
    dummy = dspy.utils.DummyLM([{"answer": "one"}, {"answer": "two"}])
    with playing("once", dummy):
        first = [ask("a"), ask("b")]
    with playing("none", dspy.utils.DummyLM([])):
        assert [ask("a"), ask("b")] == first == ["one", "two"]
