"""Every example of every page does what the page says."""

import json
import os
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import tomli

from dspy_profiles import ProfileError, list_profiles, resolve

RUN_PAGE = Path(__file__).with_name("run_page.py")


def run(page: Any, root: Any) -> Any:
    """What is wrong with the examples of a page, each with the page and the line."""
    folder = root / "home" / "you" / "project"
    folder.mkdir(parents=True)
    steps = [
        {
            "text": b.text,
            "line": b.line,
            "file": b.file,
            "language": b.language,
            "marks": sorted(b.marks),
        }
        for b in page.blocks
        if b.language in ("python", "console") or b.file is not None or "output" in b.marks
    ]
    if not steps:
        return []
    job = {"page": page.name, "path": str(page.path), "root": str(root), "blocks": steps}
    home = str(folder.parent)
    found = root / "faults"
    found.touch()
    done = subprocess.run(
        [sys.executable, "-W", "error", str(RUN_PAGE), str(found)],
        cwd=folder,
        env={
            "HOME": home,
            "USERPROFILE": home,
            "PATH": os.environ.get("PATH", os.defpath),
            "SYSTEMROOT": os.environ.get("SYSTEMROOT", ""),
            "TEMP": str(root),
            "PYTHONUTF8": "1",
        },
        input=json.dumps(job),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=200,
        check=False,
    )
    faults = [json.loads(line) for line in found.read_text("utf-8").splitlines()]
    if done.returncode or done.stderr:
        faults.append(f"{page.name}: ended with {done.returncode} and said\n{done.stderr}")
    return faults


def test_every_example_runs_and_prints_what_the_page_says(page: Any, tmp_path: Path) -> None:
    faults = run(page, tmp_path)
    assert not faults, "\n\n".join(faults)


def test_every_test_file_of_a_page_is_run_by_pytest(page: Any) -> None:
    for number, block in enumerate(page.blocks):
        name = Path(block.file or "").name
        if not re.fullmatch(r"test_\w+\.py|conftest\.py", name):
            continue
        commands = []
        for later in page.blocks[number + 1 :]:
            if later.file == block.file:
                break
            if later.language == "console" and "not run" not in later.marks:
                commands += re.findall(r"^\$ (.+)$", later.text, re.MULTILINE)
        assert any(runs(command, name) for command in commands), (
            f"{page.name}:{block.line}: no command of the page runs {name}"
        )


def runs(command: str, name: str) -> bool:
    """Whether pytest, in this command, collects that file and runs it."""
    if not re.search(r"\bpytest\b", command) or "--collect-only" in command:
        return False
    named = re.findall(r"\b\w+\.py\b", command.partition("pytest")[2])
    return name == "conftest.py" or not named or name in named


@pytest.mark.parametrize(
    ("command", "is_run"),
    [
        ("pytest -q", True),
        ("python -m pytest -q test_one.py::test_a", True),
        ("pytest test_two.py", False),
        ("pytest --collect-only -q", False),
        ("python test_one.py", False),
    ],
)
def test_a_test_file_is_run_where_pytest_gets_it(command: Any, is_run: Any, made_page: Any) -> None:
    page = made_page(
        f'```python title="test_one.py"\ndef test_a(): ...\n```\n```console\n$ {command}\n…\n```\n'
    )
    with nullcontext() if is_run else pytest.raises(AssertionError, match="made.md:2"):
        test_every_test_file_of_a_page_is_run_by_pytest(page)


def test_every_toml_block_can_be_read(page: Any) -> None:
    for block in page.blocks:
        if block.language == "toml" and "refused" not in block.marks:
            try:
                tomli.loads(block.text)
            except tomli.TOMLDecodeError as error:
                pytest.fail(f"{page.name}:{block.line}: {error}")


def test_every_profile_resolves_and_what_is_marked_as_refused_is(
    page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "home" / "you" / "project"
    folder.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("DSPY_PROFILES_PATH", raising=False)
    monkeypatch.chdir(folder)
    for block in page.blocks:
        if block.language != "toml":
            continue
        file = Path(block.file or "a-piece.toml").expanduser()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.text, encoding="utf-8")
        if not block.is_profiles:
            continue
        alone = None if file.name == "profiles.toml" else file
        refused = None
        try:
            own = tomli.loads(block.text)
            for name in (name for name in list_profiles(file=alone) if name in own):
                resolve(name, file=alone)
        except (ProfileError, tomli.TOMLDecodeError) as error:
            refused = error
        if ("refused" in block.marks) is (refused is None):
            pytest.fail(f"{page.name}:{block.line}: {refused or 'nothing refuses it'}")


WRONG = {
    "an example that raises": (
        ["text", "", "```python", "a = 1", "a / 0", "```"],
        "docs/made.md:5: ",
        "ZeroDivisionError",
    ),
    "an example that raises in what an earlier one defined": (
        ["```python", "def f():", "    return 1 / 0", "```", "```python", "f()", "```"],
        "docs/made.md:3: ",
        "ZeroDivisionError",
    ),
    "an example that is no Python": (
        ["<!-- not run -->", "```python", "a = 1", "a b", "```"],
        "docs/made.md:4: ",
        "SyntaxError",
    ),
    "an example that prints something else": (
        ["```python", "print('a', 1)", "```", "<!-- output -->", "```text", "b …", "```"],
        "docs/made.md:6: ",
        "it prints\na 1",
    ),
    "an example that prints more": (
        ["```python", "print('a\\nb')", "```", "<!-- output -->", "```text", "a…", "```"],
        "docs/made.md:6: ",
        "it prints\na\nb",
    ),
    "an example that warns": (
        ["```python", "import warnings", "warnings.warn('old')", "```"],
        "docs/made.md:3: ",
        "UserWarning: old",
    ),
    "an example that swallows a fault of the network": (
        [
            "```python",
            "import contextlib, socket",
            "with contextlib.suppress(OSError), socket.socket() as s:",
            "    s.connect(('127.0.0.1', 9))",
            "```",
        ],
        "docs/made.md:2: ",
        "reaches for the network",
    ),
    "an example that ends the process": (
        ["```python", "import os", "os._exit(3)", "```"],
        "docs/made.md: ",
        "ended with 3",
    ),
    "a command that prints something else": (
        ["```console", "$ echo a", "a", "$ echo b", "c", "```"],
        "docs/made.md:4: ",
        "prints\nb\n\nand not\nc",
    ),
    "a command that prints more": (
        ["```console", "$ echo a; echo b >&2", "a", "```"],
        "docs/made.md:2: ",
        "prints\na\nb\n",
    ),
    "a command that fails in silence": (
        ["```console", "$ true", "$ false", "```"],
        "docs/made.md:3: ",
        "ends with 1, and the page does not show why",
    ),
    "a command that ends the shell": (
        ["```console", "$ echo 'a", "a", "$ true", "```"],
        "docs/made.md:2: ",
        "the shell has ended",
    ),
    "a console without a command": (
        ["```console", "dspy-profiles list", "```"],
        "docs/made.md:2: ",
        "begins with a command",
    ),
    "a command that swallows a fault of the network": (
        [
            "```python",
            "file = open('connect.py', 'w')",
            "_ = file.write('import socket\\ns = socket.socket()\\n')",
            "_ = file.write('try: s.connect((\"127.0.0.1\", 9))\\nexcept OSError: pass\\n')",
            "file.close()",
            "```",
            "```console",
            "$ python connect.py",
            "```",
        ],
        "docs/made.md:8: ",
        "reaches for the network",
    ),
}


@pytest.mark.parametrize(("lines", "place", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_with_its_page_and_line(
    lines: Any, place: Any, said: Any, made_page: Any, tmp_path: Path
) -> None:
    (fault,) = run(made_page("\n".join(lines)), tmp_path)
    assert fault.startswith(place)
    assert said in fault


def test_an_example_finds_what_the_page_writes_to_files(made_page: Any, tmp_path: Path) -> None:
    page = made_page(
        "<!-- file: ~/.dspy/words.txt -->\n```dotenv\nhello\n```\n"
        '```python title="inner/words.py"\nword = "there"\n```\n'
        "```python\nfrom inner.words import word\nfrom pathlib import Path\n"
        "print(Path('~/.dspy/words.txt').expanduser().read_text(), word, Path.cwd())\n```\n"
        "<!-- output -->\n```text\nhello\n there /home/you/project\n```\n"
    )
    assert run(page, tmp_path) == []


def test_commands_share_a_shell_and_the_folder_of_the_page(made_page: Any, tmp_path: Path) -> None:
    page = made_page(
        '```text title="words.txt"\nhello\n```\n'
        "```console\n$ export WORD=there\n$ cd .. && pwd\n/home/you\n$ cd project\n```\n"
        "```console\n$ cat words.txt; echo $WORD\nhello\nthere\n"
        '$ (exit 3)\n…\n$ echo "ends with $?"\nends with 3\n'
        "$ cat >more.txt <<end\n> one\n> two\n> end\n"
        "$ printf '%s\\n' a b c d-e-f\na\n…\nd…f\n```\n"
        "```python\nfrom pathlib import Path\nprint(Path('more.txt').read_text())\n```\n"
        "<!-- output -->\n```text\none\ntwo\n\n```\n"
    )
    assert run(page, tmp_path) == []


def test_commands_find_the_program_and_a_home_without_files(made_page: Any, tmp_path: Path) -> None:
    page = made_page(
        "```console\n$ dspy-profiles get mock provider.class\nmock\n"
        "$ ls -A ~\nproject\n$ dspy-profiles get prod lm.model\nerror: …\n  …\n"
        "$ echo $?\n3\n```\n"
    )
    assert run(page, tmp_path) == []
