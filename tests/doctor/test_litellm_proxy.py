"""Against LiteLLM's own proxy, which answers with what its configuration says."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

pytestmark = pytest.mark.slow

MASTER = "sk-canary-master-key"
CONFIG = """\
model_list:
  - model_name: good
    litellm_params: {model: openai/x, api_key: none, mock_response: "OK"}
  - model_name: limited
    litellm_params: {model: openai/x, api_key: none, mock_response: "litellm.RateLimitError"}
  - model_name: broken
    litellm_params: {model: openai/x, api_key: none, mock_response: "litellm.InternalServerError"}
"""
START = 120  # seconds


@pytest.fixture(scope="session")
def litellm() -> Path:
    """The proxy's program, in an environment of its own that later sessions find again."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not here to install LiteLLM's proxy with")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    whose = getattr(os, "getuid", int)()
    folder = Path(tempfile.gettempdir()) / f"dspy-profiles-litellm-{version}-{whose}"
    program, done = folder / "bin/litellm", folder / "installed"
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            steps = (
                [uv, "venv", "--clear", "--python", version, str(folder)],
                [uv, "pip", "install", "--python", str(folder), "litellm[proxy]"],
            )
            for step in steps:
                ran = subprocess.run(step, capture_output=True, text=True, check=False)
                if ran.returncode:
                    pytest.skip(f"LiteLLM's proxy cannot be installed: {ran.stderr[-300:]}")
            done.touch()
    return program


@pytest.fixture(scope="session")
def proxy(litellm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running proxy."""
    folder = tmp_path_factory.mktemp("litellm")
    config = folder / "config.yaml"
    config.write_text(CONFIG)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    words = [str(litellm), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    environment = {
        **os.environ,
        "LITELLM_MASTER_KEY": MASTER,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(words, env=environment, stdout=out, stderr=out, cwd=folder)
    try:
        _wait(process, f"http://127.0.0.1:{port}/health/liveliness", log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    end = time.monotonic() + START
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    pytest.skip(f"LiteLLM's proxy does not start: {log.read_text()[-300:]}")


@pytest.mark.parametrize("engine", ["auto", "litellm"])
def test_the_proxys_answers_are_told_apart(
    proxy: str, write: Any, home: Path, results: Any, engine: str
) -> None:
    def profile(name: str, model: str, key: str) -> str:
        return (
            f'[{name}.lm]\nmodel = "openai/{model}"\napi_base = "{proxy}"\n'
            f'api_key = "${{{key}}}"\nengine = "{engine}"\n'
        )

    write(
        home / ".dspy/profiles.toml",
        profile("good", "good", "MASTER_KEY")
        + profile("limited", "limited", "MASTER_KEY")
        + profile("broken", "broken", "MASTER_KEY")
        + profile("unknown", "nosuch", "MASTER_KEY")
        + profile("wrong", "good", "WRONG_KEY"),
    )
    found = results(MASTER_KEY=MASTER, WRONG_KEY="sk-canary-wrong-key")
    done = found.pop("")
    assert {name: one["live"]["result"] for name, one in found.items()} == {
        "good": "answered",
        "limited": "rate-limited",
        "broken": "server-error",
        "unknown": "not-found",
        "wrong": "error",  # with no database it answers 400, and says so
    }
    assert "db" in found["wrong"]["live"]["detail"]
    assert "canary" not in done.stdout + done.stderr
