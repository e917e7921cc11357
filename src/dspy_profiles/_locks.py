"""A lock for what lives as long as the process, also across a fork."""

import os
import threading
from types import TracebackType
from weakref import WeakSet

__all__ = ["ProcessLock"]


class ProcessLock:
    """Re-entrant lock for the state of a module or of one object.

    A fork while another thread holds it would leave the child a lock that is never released. Here
    the child starts with a new one.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        _all.add(self)

    def renew(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lock.release()


# What is registered with the system stays registered: so this is one function, not one per lock.
_all: WeakSet[ProcessLock] = WeakSet()


def _renew_all() -> None:
    for lock in list(_all):
        lock.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
