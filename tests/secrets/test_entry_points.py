"""Secrets in the environment that no profile names are masked at every entry point alike."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROFILES = """
    [live.lm]
    model = "own/model"

    [live.provider]
    class = "engines:Echo"

    [gateway.lm]
    model = "own/model"
    api_key = "${NOT_SET_ANYWHERE}"

    [gateway.provider]
    class = "engines:Gateway"
"""
ENGINES = """
    import dspy

    class Echo:
        '''An engine whose answer is its prompt.'''

        def complete(self, request):
            said = f"[[ ## answer ## ]]\\n{request.messages[-1].parts[0].text}"
            return dspy.lm15.Response(
                id=None,
                model="m",
                message=dspy.lm15.Message.assistant(said),
                finish_reason="stop",
                usage=dspy.lm15.Usage(),
            )

    class Gateway(Echo):
        ignores_client_settings = True
"""
ASKS = """
    import os
    import dspy

    def ask():
        text = os.environ["MY_BADGE"] + " and " + os.environ["SOME_API_KEY"]
        dspy.Predict("question -> answer")(question=text)

    if __name__ == "__main__":
        ask()
"""
WITH_RECORD = """
    import dspy
    from asks import ask
    from engines import Echo
    from dspy_profiles.results import record

    with dspy.context(lm=dspy.LM("own/model", engine=Echo())), record("by hand"):
        ask()
"""
WITH_CASSETTE = """
    from asks import ask
    from dspy_profiles import profile

    with profile("live", cassette="x.jsonl", cassettes="new"):
        ask()
"""
TEST = """
    import pytest
    from asks import ask

    def test_it():
        ask()
"""
RUN = (str(Path(sys.executable).with_name("dspy-profiles")), "run")
ENTRY_POINTS = {
    "run --cassette": [
        *RUN,
        "-p",
        "live",
        "--cassette",
        "x.jsonl",
        "--cassettes",
        "new",
        "asks.py",
    ],
    "run --record": [*RUN, "-p", "live", "--record", "asks.py"],
    "run --record without a profile": [*RUN, "--record", "by_hand.py"],
    "record() without a profile": [sys.executable, "by_hand.py"],
    "profile(cassette=)": [sys.executable, "block.py"],
    "pytest": [sys.executable, "-m", "pytest", "--dspy-profile=live", "--dspy-store=file:r"],
}


@pytest.fixture(autouse=True)
def program(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("PYTHON", "PYTEST"))]:
        monkeypatch.delenv(name)
    write("profiles.toml", PROFILES)
    write("engines.py", ENGINES)
    write("asks.py", ASKS)
    write("by_hand.py", WITH_RECORD)
    write("block.py", WITH_CASSETTE)
    write("test_it.py", TEST)
    write("pyproject.toml", '[tool.dspy-profiles]\nsecret-keys = ["*_badge"]\n')


@pytest.mark.parametrize("words", ENTRY_POINTS.values(), ids=ENTRY_POINTS)
def test_keys_of_the_environment_are_masked(words: list[str], project: Path) -> None:
    secrets = {"MY_BADGE": "canary-correct-horse", "SOME_API_KEY": "canary-battery-staple"}
    environment = {**os.environ, **secrets}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "canary" not in done.stdout + done.stderr
    written = [path for path in project.rglob("*.jsonl") if path.is_file()]
    assert written, "nothing was recorded"
    assert not [path for path in written if b"canary" in path.read_bytes()]


@pytest.mark.parametrize(
    "words",
    [
        [*RUN, "-p", "gateway", "asks.py"],
        [sys.executable, "-c", "from dspy_profiles import profile as p\nwith p('gateway'): pass"],
        [sys.executable, "-m", "pytest", "--dspy-profile=gateway"],
        [sys.executable, "-m", "dspy_profiles", "doctor", "gateway"],
    ],
    ids=["run", "block", "pytest", "doctor"],
)
def test_an_engine_that_ignores_the_client_needs_no_key(words: list[str]) -> None:
    environment = {**os.environ, "MY_BADGE": "a", "SOME_API_KEY": "b"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
