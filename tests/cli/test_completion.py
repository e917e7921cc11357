"""What a shell is told when somebody presses the tabulator."""

from typing import Any

import pytest

FILE = """
    [base.lm]
    model = "a/b"
    temperature = 1

    [prod]
    extends = "base"
    settings.num_threads = 4
"""


@pytest.fixture
def complete(cli: Any, write: Any) -> Any:
    write("profiles.toml", FILE)

    def told(line: Any, **env: Any) -> Any:
        words = line.split(" ")
        env |= {
            "_DSPY_PROFILES_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
        }
        done = cli(env=env)
        assert done.err == ""
        return done.out.split()

    return told


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("dspy-profiles sh", ["show"]),
        ("dspy-profiles show ", ["base", "prod", "mock"]),
        ("dspy-profiles show p", ["prod"]),
        ("dspy-profiles diff base p", ["prod"]),
        ("dspy-profiles get prod lm.", ["lm.model", "lm.temperature"]),
        ("dspy-profiles set b", ["base"]),
        ("dspy-profiles set prod lm.temp", ["lm.temperature"]),
        ("dspy-profiles set prod settings.num_t", ["settings.num_threads"]),
        ("dspy-profiles set prod lm.temperature 1", []),
        ("dspy-profiles unset prod ", ["lm.model", "lm.temperature", "settings.num_threads"]),
        ("dspy-profiles unset prod lm.model lm", ["lm.temperature"]),
        ("dspy-profiles export p", ["prod"]),
        ("dspy-profiles export prod --format p", ["python"]),
        ("dspy-profiles secrets ", ["list", "check", "move"]),
        ("dspy-profiles secrets check p", ["prod"]),
        ("dspy-profiles config set n", ["not-secret"]),
        ("dspy-profiles config get en", ["env-file"]),
        ("dspy-profiles init --provider o", ["openai", "ollama"]),
        ("dspy-profiles use p", ["prod"]),
    ],
)
def test_words_are_offered(complete: Any, line: Any, offered: Any) -> None:
    assert complete(line) == offered


def test_set_offers_what_dspy_knows(complete: Any) -> None:
    offered = complete("dspy-profiles set prod adapter.")
    assert "adapter.class" in offered
    assert complete("dspy-profiles set --profile prod lm.mode") == [
        "lm.model",
        "lm.model_info",
        "lm.model_type",
    ]


def test_a_broken_file_offers_nothing_and_says_nothing(complete: Any, write: Any) -> None:
    write("profiles.toml", "x = \n")
    for line in ("show ", "set ", "get p l", "unset p "):
        assert complete(f"dspy-profiles {line}") == []
