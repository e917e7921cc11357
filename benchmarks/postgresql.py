"""A PostgreSQL of our own for as long as a measurement takes."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["server"]

FASTER = "-c fsync=off -c full_page_writes=off"  # while the data is made; it is only read later


@contextmanager
def server() -> Iterator[str | None]:
    """The URL of an empty database; None where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name))
    if not found:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="dspy-pg-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    data = str(folder / "data")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} {FASTER}"
    control = [str(found[-1] / "pg_ctl"), "-D", data, "-w"]
    try:
        _run([str(found[-1] / "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"])
        _run([*control, "-l", str(folder / "log"), "-o", options, "start"])
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        _run([*control, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder)


def _run(command: list[str]) -> None:
    if os.geteuid() == 0:  # it refuses to run as root
        command = ["runuser", "-u", "postgres", "--", *command]
    subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL)
