"""A server that has imported what is heavy and forks, for each run, a Python that need not.

`ForkServer.run` does what `subprocess.run` does with a Python. A forked Python differs from a new
one in this: pytest, its plugins and DSPy are imported, and nothing of ours is. Warnings that come
while they are imported are not seen, and the hash seed is that of the server. Where a test is
about start-up, imports, signals or the workers of xdist, it starts a process of its own.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import types
from collections.abc import Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Any, Self

__all__ = ["ForkServer"]

# What a Python or an imported module reads once: a fork whose values differ would not see them.
READ_ONCE = ("PYTHON*", "LC_*", "LANG*", "TZ", "LD_*", "*LITELLM*", "HYPOTHESIS_*", "DSPY_CACHE_*")
LONGEST_MESSAGE = 200_000  # an environment and a command line
WARM_UP = """
import dspy
def test_nothing(): pass
"""


class ForkServer:
    """One process that forks others: close it at the end."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._read_once = _read_once(environ)
        self._folder = tempfile.TemporaryDirectory()
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fds = (self._requests.fileno(), theirs.fileno())
        self._process = subprocess.Popen(
            [sys.executable, __file__, *map(str, fds), json.dumps(self._read_once)],
            stdin=subprocess.PIPE,
            cwd=self._folder.name,
            env={**environ, "HOME": self._folder.name, "USERPROFILE": self._folder.name},
            pass_fds=fds,
        )
        theirs.close()

    @staticmethod
    def works_here() -> bool:
        """Elsewhere than on Linux a fork may not use what its parent has imported."""
        # A measurement of coverage begins when a Python starts.
        return sys.platform == "linux" and not any(n.startswith("COV") for n in os.environ)

    def serves(self, env: Mapping[str, str]) -> bool:
        """Whether a fork with these variables is as good as a new process."""
        return _read_once(env) == self._read_once

    def run(
        self, words: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a Python with these words to its end, its output captured."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            fork = _Fork(self._requests, words, cwd, env, (0, out.fileno(), err.fileno()))
            code = fork.wait(timeout)
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(list(words), code, out.read(), err.read())

    def close(self) -> None:
        """End the server; what it has forked goes on."""
        self._requests.close()
        self._process.communicate()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _read_once(environ: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in environ.items() if any(fnmatchcase(k, p) for p in READ_ONCE)}


class _Fork:
    """A process that the server has forked, with as much of `subprocess.Popen` as is needed."""

    def __init__(
        self,
        requests: socket.socket,
        words: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        fds: tuple[int, int, int],
    ) -> None:
        self.words = words
        self.returncode: int | None = None
        self._reports, theirs = socket.socketpair()
        message = json.dumps({"words": words, "cwd": str(cwd), "env": dict(env)}).encode()
        with theirs:
            socket.send_fds(requests, [message], [*fds, theirs.fileno()])
        self.pid = self._report(timeout=None)

    def _report(self, timeout: float | None) -> int:
        self._reports.settimeout(timeout)
        report = self._reports.recv(4)
        if not report:
            raise RuntimeError("the server of the tests has ended")
        (number,) = struct.unpack("i", report)
        return int(number)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, or the negative number of the signal that ended it."""
        if self.returncode is None:
            try:
                self.returncode = self._report(timeout)
            except TimeoutError:
                self.kill()
                raise subprocess.TimeoutExpired(list(self.words), timeout or 0) from None
            self._reports.close()
        return self.returncode

    def kill(self) -> None:
        # Once it has ended, its number may be that of another process.
        if self.returncode is None and not select.select([self._reports], [], [], 0)[0]:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


# The rest runs in the server.


def _serve(requests: socket.socket) -> dict[str, Any]:
    """Fork for each request until the tests end; return the request in each fork."""
    woken, wake = socket.socketpair()
    woken.setblocking(False)
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the tests end, and then this does
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([0, woken.fileno(), requests.fileno()], [], [])
        if woken.fileno() in ready:
            woken.recv(4096)
        _report_ended(running)
        if 0 in ready:
            raise SystemExit(0)
        if requests.fileno() not in ready:
            continue
        message, fds, _, _ = socket.recv_fds(requests, LONGEST_MESSAGE, 4)
        request: dict[str, Any] = json.loads(message)
        report = socket.socket(fileno=fds.pop())
        pid = os.fork()
        if pid:
            for fd in fds:
                os.close(fd)
            running[pid] = report
            with suppress(BrokenPipeError):
                report.send(struct.pack("i", pid))
            continue
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, fd in enumerate(fds):
            os.dup2(fd, number)
            os.close(fd)
        for each in (woken, wake, requests, report, *running.values()):
            each.close()
        return request


def _report_ended(running: dict[int, socket.socket]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        with running.pop(pid) as report, suppress(BrokenPipeError):
            report.send(struct.pack("i", os.waitstatus_to_exitcode(status)))


def _renew(cwd: str, env: dict[str, str]) -> None:
    """Look at the new folder and environment wherever the old ones were kept."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    tempfile.tempdir = None
    importlib.invalidate_caches()
    clients: Any = importlib.import_module("dspy.clients")
    clients.DISK_CACHE_DIR = clients.default_cache_dir()
    was = clients.configure_cache.__defaults__
    clients.configure_cache.__defaults__ = (*was[:2], clients.DISK_CACHE_DIR, *was[3:])
    if configuration := sys.modules.get("hypothesis.configuration"):
        configuration.set_hypothesis_home_dir(Path(cwd, ".hypothesis"))


def _run_as_main(words: list[str]) -> None:
    """Do what `python` does with these words: `-m` a module, or `-c` a program."""
    option, what, *rest = words
    sys.argv[1:] = rest
    if option == "-m":
        sys.path[0] = str(Path.cwd())
        runpy.run_module(what, run_name="__main__", alter_sys=True)
        return
    sys.argv[0] = "-c"
    sys.path[0] = ""
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    exec(compile(what, "<string>", "exec"), main.__dict__)


def _fork_workers(requests: socket.socket, read_once: dict[str, str]) -> None:
    """Let xdist start its workers by this server too."""
    from execnet.gateway_base import ThreadExecModel

    def start(words: list[str], **pipes: int) -> "_Worker | subprocess.Popen[bytes]":
        python, unbuffered, *rest = words
        same = python == sys.executable and unbuffered == "-u" and rest[0] == "-c"
        if not same or _read_once(os.environ) != read_once:
            return subprocess.Popen(words, **pipes)  # type: ignore[call-overload, no-any-return]
        return _Worker(requests, rest)

    stand_in = types.SimpleNamespace(PIPE=subprocess.PIPE, Popen=start)
    ThreadExecModel.subprocess = property(lambda _: stand_in)  # type: ignore[assignment]


class _Worker(_Fork):
    """A worker of xdist: its input and its output are pipes."""

    def __init__(self, requests: socket.socket, words: Sequence[str]) -> None:
        reads, their_out = os.pipe()
        their_in, writes = os.pipe()
        super().__init__(requests, words, Path.cwd(), os.environ, (their_in, their_out, 2))
        os.close(their_in)
        os.close(their_out)
        self.stdin: IO[bytes] = os.fdopen(writes, "wb")
        self.stdout: IO[bytes] = os.fdopen(reads, "rb")


def _import_what_is_heavy() -> None:
    """Import what pytest imports in a run, its plugins under its hook, but nothing of ours."""
    import pytest

    path, plugins = sys.path.copy(), os.environ.copy()
    Path("test_warm_up.py").write_text(WARM_UP)
    words = ["-p", "no:dspy_profiles", "-p", "no:cacheprovider", "-p", "no:randomly", "-s", "-qq"]
    words += ["-o", "asyncio_default_fixture_loop_scope=function"]
    with Path(os.devnull).open("w") as null:
        out, sys.stdout = sys.stdout, null
        code = pytest.main([*words, "test_warm_up.py"])
        sys.stdout = out
    del sys.modules["test_warm_up"]
    sys.path[:] = path
    if code or os.environ != plugins or "dspy_profiles" in sys.modules:
        raise SystemExit("the server of the tests could not import what is heavy")


def _main() -> None:
    inherited, requests = (socket.socket(fileno=int(fd)) for fd in sys.argv[1:3])
    read_once = json.loads(sys.argv[3])
    _import_what_is_heavy()
    _fork_workers(inherited, read_once)
    gc.collect()
    gc.freeze()
    request = _serve(requests)
    _renew(request["cwd"], request["env"])
    _run_as_main(request["words"])


if __name__ == "__main__":
    _main()
