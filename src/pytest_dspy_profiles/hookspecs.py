"""Hooks of the pytest plugin, for conftests and other plugins."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest


@pytest.hookspec(firstresult=True)
def pytest_dspy_choose_profile(item: pytest.Item) -> str | None:
    """Return the profile of a test without a `dspy_profile` mark, or None.

    It counts before the command line, and after a mark.
    """


@pytest.hookspec
def pytest_dspy_summary(usage: Mapping[str, Any]) -> str | Iterable[str] | None:
    """Return more lines for the summary. `usage` is what `--dspy-report` writes."""


@pytest.hookspec
def pytest_dspy_filter_request(
    request: dict[str, Any], kind: str, item: Any
) -> Mapping[str, Any] | None:
    """Return the request as a cassette records and compares it; None leaves it unchanged.

    Each implementation gets the result of the one before. It must return the same for the same
    request every time.
    """


@pytest.hookspec
def pytest_dspy_filter_response(
    response: dict[str, Any], kind: str, item: Any
) -> Mapping[str, Any] | None:
    """Return the response as a cassette records it and as the program gets it, or None."""
