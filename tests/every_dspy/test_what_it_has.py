"""The table of what each DSPy has, in docs/reference/dspy.md: its column is what is found here."""

from collections.abc import Callable
from pathlib import Path

import dspy
import pytest

from dspy_profiles import _dspy, profile
from dspy_profiles.errors import InvalidProfile

PAGE = Path(__file__).parents[2] / "docs/reference/dspy.md"
RELEASE = ".".join(dspy.__version__.split(".")[:2])


def has_setting(name: str) -> bool:
    return name in _dspy.own_defaults()


def has_parameter(of: Callable[..., object], name: str) -> bool:
    from inspect import signature

    return name in signature(of).parameters


FOUND = {
    "engines of your own": hasattr(dspy, "lm15"),
    "errors of LMs: `dspy.LMError`": hasattr(dspy, "LMError"),
    "`dspy.Reasoning` and `dspy.File`": hasattr(dspy, "Reasoning") and hasattr(dspy, "File"),
    "`dspy.RLM`": hasattr(dspy, "RLM"),
    "`ChatAdapter(use_json_adapter_fallback=…)`": has_parameter(
        dspy.ChatAdapter, "use_json_adapter_fallback"
    ),
    "setting `max_trace_size`": has_setting("max_trace_size"),
    "setting `warn_on_type_mismatch`": has_setting("warn_on_type_mismatch"),
}


def test_the_page_says_what_this_dspy_has() -> None:
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("|")]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    column = head.index(RELEASE)
    says = {row[0]: row[column] for row in rows if row[0] in FOUND}
    assert says == {name: "yes" if has else "–" for name, has in FOUND.items()}


def test_a_setting_of_another_dspy_is_refused_with_the_version(
    write: Callable[..., Path],
) -> None:
    write("profiles.toml", "[p]\nsettings.of_another_dspy = 1\nprovider.class = 'mock'\n")
    with pytest.raises(InvalidProfile) as raised, profile("p"):
        pass
    assert 'DSPy has no setting "of_another_dspy"' in str(raised.value)
    assert f"DSPy {dspy.__version__} is installed" in str(raised.value)
