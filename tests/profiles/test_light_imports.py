"""To resolve, nothing heavy is imported: in processes of their own."""

import json
import subprocess
import sys
from typing import Any

import pytest

HEAVY = ("dspy", "typer", "rich", "tomlkit", "filelock", "dotenv", "keyring", "litellm")


@pytest.fixture
def imported(write: Any) -> Any:
    """The heavy modules that a program imports."""

    def after(code: Any) -> Any:
        code = f"import sys, json\n{code}\nprint(json.dumps(sorted(sys.modules)))"
        ran = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        return {name for name in json.loads(ran.stdout) if name in (*HEAVY, "pluggy")}

    return after


def test_importing_the_package_imports_nothing_of_it(imported: Any) -> None:
    assert imported("import dspy_profiles") == set()


def test_resolving_and_listing_import_nothing_heavy(imported: Any, write: Any) -> None:
    write("profiles.toml", "[p.lm]\nmodel = 'openai/gpt-4o'\napi_key = '${KEY}'\nx = 'file:/x'\n")
    write("pyproject.toml", "[tool.dspy-profiles]\nnot-secret = 'x'\n")
    assert imported("from dspy_profiles.profiles import resolve; resolve('p')") == set()
    assert (
        imported("import dspy_profiles as d; d.resolve('p').origins(); d.list_profiles()") == set()
    )


def test_only_a_text_that_a_plugin_may_know_asks_for_plugins(imported: Any, write: Any) -> None:
    write("profiles.toml", "[p.lm]\nx = 'vault:key'\n")
    assert imported("import dspy_profiles as d; d.resolve('p')") == {"pluggy"}


def test_an_error_imports_nothing_heavy(imported: Any, write: Any) -> None:
    write("profiles.toml", "[p.lmm]\n")
    code = "import dspy_profiles as d\ntry: d.resolve('p')\nexcept d.ProfileError as e: str(e)"
    assert imported(code) == set()


def test_following_references_leaves_dspy_out(imported: Any, write: Any) -> None:
    write("profiles.toml", "[p.lm]\nx = '${HOME}'\n")
    code = "import dspy_profiles as d\nfrom dspy_profiles.profiles import fetch\n"
    assert imported(code + "fetch(d.resolve('p'), 'lm')") == set()


def test_the_public_names_are_the_functions(imported: Any) -> None:
    code = (
        "import dspy_profiles.errors\n"
        "from dspy_profiles.profiles import _profile, _resolve\n"
        "from dspy_profiles import resolve, list_profiles, ProfileError, ResolvedProfile, Origin\n"
        "assert resolve is _resolve.resolve\n"
        "assert list_profiles is _resolve.list_profiles\n"
        "assert ProfileError is dspy_profiles.errors.ProfileError\n"
        "assert ResolvedProfile is _profile.ResolvedProfile\n"
        "assert Origin is _profile.Origin\n"
    )
    assert imported(code) == set()
