"""Calls that a cassette answers, beside DSPy's own dummy; and a large file, beside its JSON."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dspy
import orjson
from dspy.clients.engines.lm15_engine import LM15Engine

from benchmarks.measuring import Row, interleaved
from dspy_profiles import profile
from dspy_profiles.calls.cassettes import Cassette

CALLS = 1000
ROUNDS = 9
MEGABYTES = 100
QUESTIONS = [f"Why is it number {n}?" for n in range(CALLS)]
PROFILES = '[dev.provider]\nclass = "mock"\n'
TEXT = "Paris is where it was, and what it was. "

OPENED = """
import re, sys
import dspy
from dspy_profiles.calls.cassettes import Cassette

def peak():
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\\s+(\\d+)", status.read())[1]) / 1000

before = peak()
cassette = Cassette(sys.argv[1], "none")
print(peak() - before)
"""


def rows() -> list[Row]:
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "profiles.toml").write_text(PROFILES, encoding="utf-8")
        os.chdir(folder)
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # prices from nowhere else
        try:
            return [*_replayed(Path("recorded.jsonl")), _opened(Path("large.jsonl"))]
        finally:
            os.chdir(before)


class Says:
    """Answers at once: to record from, and to stand for a model that takes no time."""

    def __init__(self, *_: Any, **__: Any) -> None:
        """As DSPy's own engine is made."""

    def complete(self, _: Any) -> Any:
        said = "[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]"
        return dspy.lm15.Response(
            id=None,
            model="gpt-4o-mini-2024-07-18",
            message=dspy.lm15.Message.assistant(said),
            finish_reason="stop",
            usage=dspy.lm15.Usage(input_tokens=10, output_tokens=2, total_tokens=12),
        )


def _replayed(path: Path) -> list[Row]:
    """An LM that is as little to DSPy as its dummy, and one that it has to route and to price."""
    own = dspy.LM("own/model", engine=Says(), cache=False)
    priced = dspy.LM("openai/gpt-4o-mini", api_key="none", cache=False)
    dummy = dspy.utils.DummyLM([{"answer": "Paris"}] * CALLS * (ROUNDS + 1))
    at_once = patch.object(LM15Engine, "complete", Says.complete)
    files = {own: path, priced: path.with_name("priced.jsonl")}
    with at_once:
        for lm, file in files.items():
            _ask(lm, file, "once")

    def straight() -> None:
        with at_once:
            _ask(priced)

    bodies = [
        lambda: _ask(own, files[own]),
        lambda: _ask(dummy),
        lambda: _ask(priced, files[priced]),
        straight,
    ]
    small, theirs, ours, real = interleaved(bodies, rounds=ROUNDS, loops=1)
    return [
        Row(f"{CALLS:,} calls replayed", small, "the same on DummyLM", theirs, 1.5),
        Row(f"{CALLS:,} calls of gpt-4o-mini replayed", ours, "asked, answered at once", real, 1.5),
        Row(f"{CALLS:,} calls of gpt-4o-mini replayed", ours, "the same on DummyLM", theirs, 1.5),
    ]


def _ask(lm: Any, cassette: Path | None = None, mode: str = "none") -> None:
    predict = dspy.Predict("question -> answer")
    played = profile("dev", cassette=cassette, cassettes=mode if cassette else None)
    with played, dspy.context(lm=lm):
        for question in QUESTIONS:
            predict(question=question)


def _opened(path: Path) -> Row:
    """A cassette of many megabytes: each of its lines is looked at, and none is kept parsed."""
    with path.open("wb") as file:
        file.write(b'{"cassette":1}\n')
        for number in range(MEGABYTES * 10):
            messages = [{"role": "user", "content": f"question {number}"}]
            request = {"model": "openai/gpt-4o-mini", "messages": messages}
            said = {"response": {"text": f"{number} {TEXT * (100_000 // len(TEXT))}"}}
            track = {"kind": "lm", "request": request, "responses": [said]}
            file.write(orjson.dumps(track) + b"\n")

    def parse() -> None:
        lines = path.read_bytes().splitlines()
        for line in lines:
            orjson.loads(line)

    ours, theirs = interleaved([lambda: Cassette(path, "none"), parse], rounds=ROUNDS, loops=1)
    size = path.stat().st_size / 1e6
    if sys.platform == "linux":
        words = [sys.executable, "-c", OPENED, str(path)]
        ran = subprocess.run(words, check=True, capture_output=True, text=True)
        sys.stderr.write(f"a cassette of {size:.0f} MB takes {float(ran.stdout):.0f} MB at most\n")
    return Row(f"a cassette of {size:.0f} MB opened", ours, "its lines parsed as JSON", theirs, 2)
