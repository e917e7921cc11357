import pytest


@pytest.fixture(autouse=True)
def fresh(clean_dspy: None) -> None:
    """Every test here has a clean DSPy."""
