"""One place answers whether a layer of configuration may lead to an action."""

import pytest

from dspy_profiles.config import may


def test_only_your_own_file_sends_secrets_without_a_question() -> None:
    assert may("send", "user")
    assert not may("send", "project")
    assert not may("send", "override")


@pytest.mark.parametrize("action", ["import", "start", "connect", "read", "write"])
def test_a_project_may_do_what_its_code_may(action: str) -> None:
    assert may(action, "project")  # type: ignore[arg-type]
