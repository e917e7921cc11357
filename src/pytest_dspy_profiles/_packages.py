"""A package's marks: pytest reads `pytestmark` of modules and classes alone."""

import contextlib
import re
from typing import Any

import pytest

__all__ = ["INIT", "bear_marks"]

INIT = "__init__.py"
OURS = re.compile(rb"^pytestmark\b(?s:.*)\bdspy_", re.MULTILINE)


def bear_marks(package: pytest.Package) -> None:
    """Give a package the marks of ours that its `__init__.py` names."""
    try:
        text = (package.path / INIT).read_bytes()
    except OSError:
        return
    if not OURS.search(text):
        return
    module: Any = None
    # One that cannot be imported is told with each module below it.
    with contextlib.suppress(Exception, pytest.skip.Exception):
        from _pytest.python import importtestmodule

        module = importtestmodule(package.path / INIT, package.config)
    given = getattr(module, "pytestmark", ())
    for mark in given if isinstance(given, list | tuple) else (given,):
        is_ours = isinstance(mark, pytest.MarkDecorator) and mark.name.startswith("dspy_")
        if is_ours and mark.mark not in package.own_markers:
            package.add_marker(mark)
