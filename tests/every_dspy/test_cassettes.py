"""What one DSPy has recorded, each other one replays, without a call."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dspy
import pytest

from dspy_profiles import profile
from dspy_profiles.errors import CassetteMiss

RECORDED = sorted((Path(__file__).parent / "cassettes").glob("*.jsonl"))


def ask(adapter: Any = None) -> str:
    with dspy.context(adapter=adapter or dspy.ChatAdapter()):
        return str(dspy.ChainOfThought("question -> answer")(question="Capital?").answer)


def ask_streamed() -> tuple[str, str]:
    listener = dspy.streaming.StreamListener(signature_field_name="answer")
    program = dspy.streamify(dspy.ChainOfThought("question -> answer"), stream_listeners=[listener])

    async def read() -> list[Any]:
        return [each async for each in program(question="Streamed?")]

    *pieces, last = asyncio.run(read())
    return "".join(each.chunk for each in pieces if hasattr(each, "chunk")).strip(), last.answer


def ask_all() -> list[Any]:
    awaited = dspy.Predict("question -> answer")
    return [
        ask(),
        ask(dspy.JSONAdapter()),
        ask_streamed(),
        asyncio.run(awaited.acall(question="Async?")).answer,
    ]


ANSWERS = ["Paris", "Paris", ("Paris", "Paris"), "Paris"]


def test_what_was_recorded_is_replayed(live: str, server: Any) -> None:
    with profile(live, cassette="own.jsonl", cassettes="new"):
        assert ask_all() == ANSWERS
    assert len(server.asked) == 4
    with profile(live, cassette="own.jsonl", cassettes="none"):
        assert ask_all() == ANSWERS
    assert len(server.asked) == 4
    assert "sk-canary" not in Path("own.jsonl").read_text("utf-8")


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: str(path.stem))
def test_what_another_dspy_recorded_is_replayed(path: Path, live: str, server: Any) -> None:
    with profile(live, cassette=path, cassettes="none"):
        assert ask_all() == ANSWERS
    assert server.asked == []


def test_a_prompt_that_differs_is_a_miss(live: str, write: Callable[..., Path]) -> None:
    lines = RECORDED[0].read_text("utf-8").replace("Capital?", "Another?")
    write("other.jsonl", lines)
    with pytest.raises(CassetteMiss), profile(live, cassette="other.jsonl", cassettes="none"):
        ask()


def test_the_first_line_names_the_dspy(live: str) -> None:
    with profile(live, cassette="own.jsonl", cassettes="new"):
        ask()
    head = json.loads(Path("own.jsonl").read_text("utf-8").splitlines()[0])
    assert (head["cassette"], head["dspy"]) == (2, dspy.__version__)


def test_an_error_is_replayed_as_it_was(live: str, server: Any) -> None:
    server.statuses = [401]
    raised: list[str] = []
    for mode in ("new", "none"):
        played = profile(live, lm={"num_retries": 0}, cassette="own.jsonl", cassettes=mode)
        with played, pytest.raises(Exception, match="down") as error:
            dspy.settings.lm("Capital?")
        raised.append(type(error.value).__name__)
    assert raised[0] == raised[1]
    assert len(server.asked) == 1


def test_an_error_that_another_dspy_recorded_is_replayed(
    live: str, write: Callable[..., Path]
) -> None:
    with profile(live, cassette="own.jsonl", cassettes="new"):
        dspy.settings.lm("Capital?")
    tracks = [json.loads(line) for line in Path("own.jsonl").read_text("utf-8").splitlines()]
    error = {
        "class": "dspy.lm15:RateLimitError",
        "args": ["slow down"],
        "attributes": {"message": "slow down"},
    }
    tracks[-1]["responses"] = [{"error": error}]
    write("failing.jsonl", "\n".join(map(json.dumps, tracks)) + "\n")
    played = profile(live, lm={"num_retries": 0}, cassette="failing.jsonl", cassettes="none")
    with played, pytest.raises(Exception, match="slow down") as raised:
        dspy.settings.lm("Capital?")
    assert "RateLimit" in type(raised.value).__name__


def test_the_provider_replay_answers(write: Callable[..., Path]) -> None:
    write(
        "profiles.toml",
        f'[p]\nlm.model = "openai/gpt-4o-mini"\n'
        f'provider = {{ class = "replay", cassette = "{RECORDED[0]}" }}\n',
    )
    with profile("p"):
        assert ask() == "Paris"
