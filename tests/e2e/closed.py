"""Closes the network of this process; run as a program, it runs another one behind closed doors.

python closed.py PROGRAM
"""

import runpy
import sys
from typing import Any

__all__ = ["close_network"]

NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")


def close_network() -> None:
    """From here on an attempt to reach it ends the process, whoever would swallow an error."""
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event in NETWORK and "AF_UNIX" not in repr(arguments):
        raise SystemExit(f"it reaches for the network: {event} {arguments[1:]}")


if __name__ == "__main__":
    close_network()
    runpy.run_path(sys.argv[1], run_name="__main__")
