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


@pytest.hookspec
def pytest_dspy_filter_request(
    request: dict[str, Any], kind: str, item: Any
) -> Mapping[str, Any] | None:
    """The request as a cassette is to have it: written so, and compared so. None: as it is.

    Asked one after the other, each with what the one before has returned. It must say the same for
    the same request every time.
    """


@pytest.hookspec
def pytest_dspy_filter_response(
    response: dict[str, Any], kind: str, item: Any
) -> Mapping[str, Any] | None:
    """The same for what came back; the program gets it as it was returned here."""
