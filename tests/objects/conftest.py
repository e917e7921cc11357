from collections.abc import Iterator
from typing import Any

import dspy
import pytest
from tests.shapes import engine_lm

from dspy_profiles.objects.engines._async import AsyncSide
from dspy_profiles.objects.engines.mock import MockEngine


def lm_on(engine: Any, **arguments: Any) -> Any:
    arguments = {"cache": False, "num_retries": 0} | arguments
    return engine_lm("mock", engine=engine, async_engine=AsyncSide(engine), **arguments)


@pytest.fixture
def mock_lm() -> Any:
    """Makes an LM on an engine, or on a mock with the given arguments."""

    def made(engine: Any = None, **arguments: Any) -> Any:
        return lm_on(MockEngine(**arguments) if engine is None else engine)

    return made


@pytest.fixture
def mock() -> Any:
    return MockEngine()


@pytest.fixture
def mocked(mock: Any) -> Iterator[Any]:
    """The mock, with an LM on it active."""
    with dspy.context(lm=lm_on(mock), adapter=None):
        yield mock
