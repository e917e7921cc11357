"""The descriptor of the installed DSPy: from cold, from the cache, and where DSPy is broken."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles import schema as dspy_api
from dspy_profiles.schema import _cache, check
from dspy_profiles.schema._describe import describe
from dspy_profiles.schema.reader import _locate
from dspy_profiles.schema.reader._stamps import SCHEMA_VERSION

PYTHONPATH = os.environ.get("PYTHONPATH", "")
ASK = """
import sys
from dspy_profiles.schema import descriptor
made = descriptor()
loaded = [m for m in ("dspy", "typer", "rich", "pluggy", "ast", "json") if m in sys.modules]
import json
print(json.dumps({"made": made, "loaded": loaded, "again": descriptor() is made}))
"""


def ask(cache: Any, path: str = "") -> Any:
    """A fresh process that asks for the descriptor, of the DSPy in `path` if there is one."""
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, [path, PYTHONPATH]))}
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        env={**os.environ, "XDG_CACHE_HOME": str(cache), "LOCALAPPDATA": str(cache), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


def kept(cache: Any) -> Any:
    return [p for p in cache.rglob("*") if p.is_file()]


@pytest.fixture
def fake_dspy(files: Any) -> Any:
    """A DSPy of a few lines, installed in a folder of its own."""
    return files(
        {
            "dspy/__init__.py": "from dspy.clients import *\nfrom dspy.adapters import Adapter\n"
            "raise SystemExit('imported')\n",
            "dspy/__metadata__.py": '__version__ = "9.9"\n',
            "dspy/clients/__init__.py": "from dspy.clients.lm import LM\n__all__ = ['LM']\n",
            "dspy/clients/lm.py": "class LM:\n    def __init__(self, model: str, **kwargs): ...\n",
            "dspy/adapters/__init__.py": "from dspy.adapters.base import Adapter\n",
            "dspy/adapters/base.py": "class Adapter:\n    def __init__(self, a: int = 1): ...\n",
            "dspy/dsp/utils/settings.py": "DEFAULT_CONFIG = dict(num_threads=8, trace=[])\n",
            "dspy/dsp/__init__.py": "",
            "dspy/dsp/utils/__init__.py": "",
            "dspy-9.8.dist-info/RECORD": "",
        },
        "site",
    )


def test_dspy_is_never_imported_from_cold_or_cached(tmp_path: Path) -> None:
    cold = ask(tmp_path)
    cached = ask(tmp_path)
    assert cold["made"] == cached["made"]
    assert cold["again"]
    assert cached["again"]
    assert "dspy" not in cold["loaded"]
    assert cached["loaded"] == []  # not even what a cold read needs
    assert cached["made"]["classes"]["dspy.LM"]["parameters"][0]["name"] == "model"


def test_the_cache_is_one_private_file(tmp_path: Path) -> None:
    ask(tmp_path)
    (file,) = kept(tmp_path)
    assert file.parent == tmp_path / "dspy-profiles"
    if os.name == "posix":
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("damage", ["torn", "flipped", "foreign", "empty", "folder", "unreadable"])
def test_a_damaged_cache_is_made_again(tmp_path: Path, damage: Any) -> None:
    whole = ask(tmp_path)["made"]
    (file,) = kept(tmp_path)
    content = file.read_bytes()
    if damage == "torn":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        file.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    elif damage == "foreign":
        file.write_bytes(b"something else\n" * 100)
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "folder":
        file.unlink()
        file.mkdir()
    else:
        file.chmod(0)
    assert ask(tmp_path)["made"] == whole
    if damage not in {"folder", "unreadable"}:
        assert file.read_bytes() == content


def test_a_cache_that_cannot_be_written_is_not_kept(tmp_path: Path) -> None:
    blocked = tmp_path / "cache"
    blocked.write_text("a file stands where the folder should be")
    assert ask(blocked)["made"]["version"]
    assert blocked.read_text().startswith("a file")
    assert ask("relative/path")["made"]["version"]
    assert not Path("relative").exists()


def test_a_changed_file_is_seen(
    fake_dspy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_cache, "_known", {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", [str(fake_dspy), *sys.path])
    first = dspy_api.descriptor()
    assert first["version"] == "9.8"
    assert dspy_api.descriptor() is first

    path = fake_dspy / "dspy/clients/lm.py"
    path.write_text("class LM:\n    def __init__(self, model: str, heat: float, **kwargs): ...\n")
    second = dspy_api.descriptor()
    assert "heat" in names(second["classes"]["dspy.LM"])

    (fake_dspy / "dspy/adapters/new.py").write_text(
        "from dspy.adapters.base import Adapter\nclass New(Adapter): pass\n"
    )
    assert "dspy.adapters.new.New" in dspy_api.descriptor()["adapters"]

    (fake_dspy / "dspy-9.8.dist-info").rename(fake_dspy / "dspy-9.9.1.dist-info")
    assert dspy_api.descriptor()["version"] == "9.9.1"


def test_another_process_s_cache_is_used_only_for_the_same_files(
    fake_dspy: Any, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    with_fake = ask(cache, str(fake_dspy))["made"]
    plain = ask(cache)["made"]
    assert (with_fake["version"], len(kept(cache))) == ("9.8", 2)
    assert plain["version"] != "9.8"
    lm = fake_dspy / "dspy/clients/lm.py"
    lm.write_text(lm.read_text().replace("model", "thing"))
    changed = ask(cache, str(fake_dspy))["made"]
    assert names(changed["classes"]["dspy.LM"]) == ["thing", "kwargs"]


def names(description: Any) -> Any:
    return [p["name"] for p in description["parameters"]]


def test_the_descriptor_is_plain_json(installed: Any) -> None:
    assert json.loads(json.dumps(installed)) == installed
    assert installed["schema_version"] == SCHEMA_VERSION
    assert installed["distribution"] == "dspy"
    assert installed["version"].startswith("3.")


def test_a_descriptor_of_the_same_files_is_the_same(fake_dspy: Any) -> None:
    assert describe(fake_dspy) == describe(str(fake_dspy))


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (lambda site: shutil.rmtree(site / "dspy"), "DSPy is not installed"),
        (
            lambda site: (site / "dspy/__init__.py").unlink(),
            "DSPy is a namespace package: a folder without an __init__.py",
        ),
        (
            lambda site: (site / "dspy/__init__.py").write_text("def ("),
            "dspy has a syntax error in line 1",
        ),
        (
            lambda site: shutil.move(site / "dspy/__init__.py", site / "dspy/__init__.pyc"),
            "DSPy has no source, only byte code",
        ),
    ],
)
def test_a_dspy_that_cannot_be_read_is_open_and_says_why(
    fake_dspy: Any, profile: Any, break_it: Any, reason: Any
) -> None:
    break_it(fake_dspy)
    made = describe(fake_dspy)
    assert (made["open"], made["reason"]) == (True, reason)
    values = {"lm": {"model": "x", "y": 1}, "adapter": {"class": "dspy.X"}, "settings": {"z": 1}}
    (finding,) = check(profile(values), made, search=[fake_dspy])[:1]
    assert finding.message == f"arguments of DSPy cannot be checked: {reason}"
    assert all(f.severity == "warning" for f in check(profile(values), made, search=[fake_dspy]))


def test_a_file_named_like_dspy_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "dspy.py").write_text("import dspy\n")
    made = describe(tmp_path)
    assert made["open"]
    assert made["reason"] == f"DSPy is hidden by {tmp_path / 'dspy.py'}, a file of the same name"


@pytest.mark.parametrize(
    "gone",
    [
        "dspy/clients/lm.py",
        "dspy/clients/__init__.py",
        "dspy/adapters/__init__.py",
        "dspy/adapters/base.py",
        "dspy/dsp/utils/settings.py",
        "dspy/dsp/__init__.py",
        "dspy/__metadata__.py",
    ],
)
@pytest.mark.parametrize("how", ["missing", "broken", "empty"])
def test_a_broken_install_is_permissive_where_it_is_broken(
    fake_dspy: Any, profile: Any, gone: Any, how: Any
) -> None:
    if how == "missing":
        (fake_dspy / gone).unlink()
    else:
        (fake_dspy / gone).write_text("class (:\n" if how == "broken" else "")
    made = describe(fake_dspy)
    values = {
        "lm": {"model": "x", "api_key": "${K}"},
        "adapter": {"class": "dspy.Adapter", "a": 3},
        "settings": {"num_threads": 2},
    }
    findings = check(profile(values), made, search=[fake_dspy])
    if how != "empty":  # an empty file says that the class is gone
        assert [f for f in findings if f.severity == "error"] == []
    if gone not in {"dspy/__metadata__.py", "dspy/dsp/__init__.py"}:
        whole = made["classes"]["dspy.LM"]["read"] and "dspy.Adapter" in made["adapters"]
        assert not whole or made["settings_open"]


def test_without_metadata_the_version_is_the_source_s_own(fake_dspy: Any) -> None:
    shutil.rmtree(fake_dspy / "dspy-9.8.dist-info")
    version = describe(fake_dspy)["version"]
    others = _locate.distribution("dspy", sys.path)[1]
    assert version == (others or "9.9")


def test_the_cache_stands_where_the_platform_keeps_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert _cache.cache_folder() == "/home/me/.cache/dspy-profiles"
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert _cache.cache_folder() == "/elsewhere/dspy-profiles"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert _cache.cache_folder() == "/home/me/Library/Caches/dspy-profiles"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    assert _cache.cache_folder() is None
