import sys
from collections.abc import Iterator

import dspy
import pytest

from dspy_profiles import build
from dspy_profiles.activation import prepared


@pytest.fixture(autouse=True)
def clean_dspy() -> Iterator[None]:
    """DSPy as a fresh process has it, and nothing of ours kept from another test."""
    module = sys.modules["dspy.dsp.utils.settings"]
    before = dict(module.main_thread_config)
    module.config_owner_thread_id = module.config_owner_async_task = None
    prepared._ready.clear()
    build._objects.clear()
    yield
    dict.clear(module.main_thread_config)
    dict.update(module.main_thread_config, before)
    module.config_owner_thread_id = module.config_owner_async_task = None
    assert type(module.main_thread_config).__name__ == "dotdict", "a session is still pinned"
    assert dspy.settings.lm is None
