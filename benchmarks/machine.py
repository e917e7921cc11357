"""The machine that figures were measured on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

__all__ = ["machine"]


def machine() -> dict[str, str | int | None]:
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory": _memory(),
        "system": platform.system() + " " + platform.release(),
        "python": platform.python_version(),
        "dspy": version("dspy"),
        "dspy-profiles": version("dspy-profiles"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _memory() -> str:
    try:
        found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return "unknown size"
    return f"{found / 2**30:.0f} GiB"
