"""The hooks that conftests and other plugins may implement."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest


@pytest.hookspec(firstresult=True)
def pytest_dspy_choose_profile(item: pytest.Item) -> str | None:
    """The profile of a test that has no mark of its own; None leaves it to the others.

    It counts before the command line, and after the test's own mark.
    """


@pytest.hookspec
def pytest_dspy_summary(usage: Mapping[str, Any]) -> str | Iterable[str] | None:
    """Further lines for the summary. `usage` is what `--dspy-report` writes."""
