"""Kernels of Jupyter, as a notebook drives them: one per Python that is to be tried."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 120  # seconds for one cell, on a machine that does other things as well
VARIABLE = "DSPY_PROFILES_TEST_KERNELS"  # Pythons with ipykernel, as in PATH


def pythons() -> list[str]:
    """This Python, and those that the environment names; each has to have ipykernel."""
    named = [python for python in os.environ.get(VARIABLE, "").split(os.pathsep) if python]
    for python in named:
        code = "import ipykernel, dspy_profiles_ipython"
        subprocess.run([python, "-c", code], check=True)
    own = [sys.executable] if importlib.util.find_spec("ipykernel") else []
    return list(dict.fromkeys([*own, *named]))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `python` runs with every kernel."""
    if "python" in metafunc.fixturenames:
        reason = f"no ipykernel here, and {VARIABLE} names none"
        none = [pytest.param(None, marks=pytest.mark.skip(reason))]
        metafunc.parametrize("python", pythons() or none)


@pytest.fixture
def new_kernel(python: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Starts kernels; they end with the test."""
    if importlib.util.find_spec("jupyter_client") is None:
        pytest.skip("jupyter_client is not installed")
    from jupyter_client.manager import KernelManager

    jupyter = tmp_path / "jupyter"
    write_spec(python, jupyter)
    monkeypatch.setenv("JUPYTER_PATH", str(jupyter))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    begun = []

    def started(**env: Any) -> Any:
        manager = KernelManager(kernel_name="tried")
        manager.start_kernel(env={**os.environ, **env})
        begun.append(Kernel(manager))
        return begun[-1]

    yield started
    for kernel in begun:
        kernel.end()


@pytest.fixture
def kernel(new_kernel: Any, profiles: Path) -> Any:
    """A kernel in which the extension is loaded, and DSPy imported."""
    made = new_kernel()
    assert made("%load_ext dspy_profiles_ipython\nimport asyncio, dspy, time").status == "ok"
    return made


def write_spec(python: str, folder: Path, name: str = "tried") -> None:
    """A kernel of that name, for whoever looks in this folder (`JUPYTER_PATH`)."""
    spec = folder / "kernels" / name / "kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    said = {"argv": argv, "display_name": "Python 3", "language": "python"}
    spec.write_text(json.dumps({**said, "metadata": {"debugger": False}}))


@dataclass
class Said:
    """What came of one cell."""

    status: str
    error: str | None
    out: str = ""
    err: str = ""
    shown: list[dict[str, Any]] = field(default_factory=list)
    traceback: str = ""

    @property
    def value(self) -> str | None:
        return self.shown[-1]["text/plain"] if self.shown else None

    @property
    def text(self) -> str:
        rich = "".join(str(each) for each in self.shown)
        return f"{self.out}{self.err}{rich}{self.traceback}"


class Kernel:
    """One running kernel."""

    def __init__(self, manager: Any) -> None:
        self.manager = manager
        self.client = manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    def __call__(self, code: str) -> Said:
        return self.ended(self.client.execute(code))

    def ended(self, asked: str) -> Said:
        """What a cell that was begun says, to its end."""
        said = Said("", None)
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") != asked:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                stream = "out" if content["name"] == "stdout" else "err"
                setattr(said, stream, getattr(said, stream) + content["text"])
            elif kind in ("display_data", "execute_result"):
                said.shown.append(content["data"])
            elif kind == "error":
                said.traceback = "\n".join(content["traceback"])
            elif kind == "status" and content["execution_state"] == "idle":
                break
        reply = self.client.get_shell_msg(timeout=PATIENCE)
        while reply["parent_header"].get("msg_id") != asked:
            reply = self.client.get_shell_msg(timeout=PATIENCE)
        said.status, said.error = reply["content"]["status"], reply["content"].get("ename")
        return said

    def prints(self, asked: str) -> None:
        """Wait until a cell that was begun has printed something."""
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") == asked and message["msg_type"] == "stream":
                return

    def completes(self, code: str) -> list[str]:
        """What Tab offers at the end."""
        reply = self.client.complete(code, reply=True, timeout=PATIENCE)
        matches: list[str] = reply["content"]["matches"]
        return matches

    def restart(self) -> None:
        self.manager.restart_kernel(now=True)
        self.client.wait_for_ready(timeout=PATIENCE)

    def end(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
