"""Records from LiteLLM's real proxy, stops it, and replays; the tests look at what was seen.

All of it once for a run of pytest, whichever worker comes first.
"""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import pytest
from filelock import FileLock

HERE = Path(__file__).parent
PROGRAMS = {"auto": ("agent", "extraction", "retrieval"), "litellm": ("agent",)}
ENGINES = ("auto", "litellm")
CONFIG = """\
model_list:
  - model_name: scripted
    litellm_params: {model: scripted/answers, api_key: none}
litellm_settings:
  custom_provider_map:
    - {provider: scripted, custom_handler: scripted.scripted}
"""
PROFILE = """\
[{engine}.lm]
model = "openai/scripted"
api_base = "{url}"
api_key = "${{PROXY_KEY}}"
engine = "{engine}"
num_retries = 0

[{engine}.env]
LITELLM_LOCAL_MODEL_COST_MAP = "True"
"""


def _neighbour() -> ModuleType:
    """Return the module of the doctor tests that installs and starts the proxy."""
    path = HERE.parent / "doctor/test_litellm_proxy.py"
    spec = importlib.util.spec_from_file_location("tests_doctor_litellm_proxy", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PROXY = _neighbour()
litellm = PROXY.litellm


@dataclass(frozen=True)
class Recorded:
    """The folder with all that was seen: `first`, `second` and `replayed`, for each engine."""

    root: Path

    def seen(self, engine: str, when: str, name: str) -> dict[str, Any]:
        found: dict[str, dict[str, Any]] = orjson.loads(
            (self.root / f"{when}-{engine}.json").read_bytes()
        )
        return found[name]

    def printed(self, engine: str, when: str, program: str) -> str:
        return (self.root / f"{when}-{engine}" / f"{program}.out").read_text()

    def cassette(self, engine: str, when: str, name: str) -> Path:
        return self.root / f"{when}-{engine}" / f"{name}.jsonl"

    @property
    def files(self) -> list[Path]:
        """The cassettes."""
        return sorted(self.root.rglob("*.jsonl"))


@pytest.fixture(scope="session")
def recorded(litellm: Path, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    root = shared / "e2e"
    with FileLock(f"{root}.lock"):
        if not (root / "done").exists():
            shutil.rmtree(root, ignore_errors=True)
            root.mkdir()
            _record_and_replay(litellm, root, _optuna())
            (root / "done").touch()
    return Recorded(root)


def _record_and_replay(litellm: Path, root: Path, optuna: Path | None) -> None:
    (root / ".git").mkdir()
    with _running(litellm, root) as url:
        profiles = "\n".join(PROFILE.format(engine=engine, url=url) for engine in ENGINES)
        (root / "profiles.toml").write_text(profiles)
        for engine in ENGINES:
            for when in ("first", "second"):
                _observe(root, engine, when, "all", optuna)
    # The server is gone, and another key is as good as the one that was used.
    for engine in ENGINES:
        _observe(root, engine, "first", "none", optuna)


@contextmanager
def _running(litellm: Path, root: Path) -> Iterator[str]:
    (root / "config.yaml").write_text(CONFIG)
    shutil.copy(HERE / "scripted.py", root)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    config = root / "config.yaml"
    words = [str(litellm), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    environment = _environ(
        root, LITELLM_MASTER_KEY=PROXY.MASTER, LITELLM_LOCAL_MODEL_COST_MAP="True"
    )
    log = root / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(words, env=environment, stdout=out, stderr=out, cwd=root)
    try:
        PROXY._wait(process, f"{url}/health/liveliness", log)
        yield url
    finally:
        process.terminate()
        process.wait()


def _observe(root: Path, engine: str, when: str, mode: str, optuna: Path | None) -> None:
    """Run every workload and every program, each in a fresh process, and keep what was seen."""
    folder = root / f"{when}-{engine}"
    folder.mkdir(exist_ok=True)
    replayed = mode == "none"
    said = root / f"{'replayed' if replayed else when}-{engine}.json"
    environment = _environ(root, PROXY_KEY="sk-canary-another-key" if replayed else PROXY.MASTER)
    observe = [sys.executable, HERE / "observe.py", mode, engine, folder, said]
    _run([*observe, *([optuna] if optuna else [])], root, environment)
    printed = root / f"replayed-{engine}" if replayed else folder
    printed.mkdir(exist_ok=True)
    for program in PROGRAMS[engine] if when == "first" else ():
        run = [sys.executable, "-m", "dspy_profiles", "run", "--profile", engine]
        run += ["--cassette", str(folder / f"{program}.jsonl"), "--cassettes", mode, "--"]
        run += [sys.executable, *([str(HERE / "closed.py")] if replayed else [])]
        out = _run([*run, HERE / "programs" / f"{program}.py"], root, environment)
        (printed / f"{program}.out").write_text(out)


def _run(words: Sequence[Any], cwd: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        words, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def _environ(root: Path, **more: str) -> dict[str, str]:
    """What a process needs that knows nothing of the developer's own work."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    # The programs lie outside of the project whose profiles they use.
    return {**kept, "HOME": str(root / "home"), "DSPY_PROFILES_TRUST": "all", **more}


def _optuna() -> Path | None:
    """What MIPROv2 needs, in a folder of its own that later sessions find again.

    None: it is here, or cannot be had.
    """
    if importlib.util.find_spec("optuna") is not None:
        return None
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = PROXY.Path(PROXY.tempfile.gettempdir())
    folder /= f"dspy-profiles-optuna-{version}-{getattr(os, 'getuid', int)()}"
    uv = shutil.which("uv")
    with FileLock(f"{folder}.lock"):
        if uv is not None and not (folder / "installed").exists():
            words = [uv, "pip", "install", "--python", sys.executable, "--target", folder, "optuna"]
            if subprocess.run(words, capture_output=True, check=False).returncode == 0:
                (folder / "installed").touch()
    return folder if (folder / "installed").exists() else None
