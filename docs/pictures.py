# ruff: noqa: INP001 - a script among pages is no package
"""Makes the pictures of these pages: `uv run --group notebooks python docs/pictures.py`.

All that they show happens: commands in a terminal, a notebook in its kernel, a page in a browser.
Needs chromium.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pexpect
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

PICTURES = Path(__file__).parent / "pictures"
WIDTH = 92  # of the terminal, in characters
QUIET = ("--no-sandbox", "--disable-gpu")

FILES = {
    "profiles.toml": """\
[base.lm]
model = "openai/gpt-4o-mini"
temperature = 0.2
api_key = "${OPENAI_API_KEY}"

[dev]
extends = "base"
description = "offline, for work"

[dev.provider]
class = "mock"
answers = [{ when = "France", answer = "Paris" }]

[prod]
extends = "base"
description = "paid, slow, good"

[prod.lm]
model = "openai/gpt-4o"

[prod.settings]
num_threads = 32
""",
    "pyproject.toml": '[tool.dspy-profiles]\ndefault = "dev"\n',
    ".env": "OPENAI_API_KEY=sk-example\n",
    "test_capitals.py": """\
import dspy
import pytest

EXAMPLES = [
    dspy.Example(question=f"What is the capital of {country}?", answer=city).with_inputs("question")
    for country, city in {"France": "Paris", "Italy": "Rome", "Japan": "Tokyo"}.items()
]


def right(example, found, trace=None):
    return example.answer == found.answer


def test_most_are_right():
    program = dspy.ChainOfThought("question -> answer")
    assert dspy.Evaluate(devset=EXAMPLES, metric=right)(program).score > 30


def test_nothing_leaves_this_machine(dspy_usage):
    dspy.Predict("question -> answer")(question="What is the capital of France?")
    assert dspy_usage.calls == 1
""",
}
TERMINALS = {
    "terminal": (
        "dspy-profiles list",
        "dspy-profiles show prod",
        "dspy-profiles set prod lm.temprature 0.2",
    ),
    "pytest": ("pytest --dspy-profile dev --dspy-live block --dspy-store file:.dspy/results",),
}
CELLS = (
    "%load_ext dspy_profiles_ipython",
    "%dspy_profile dev",
    """%%dspy_record capitals --hypothesis "one step is enough"
import dspy

dspy.Predict("question -> answer")(question="What is the capital of France?").answer""",
    "%dspy_trace latest 1",
)
# A terminal of no particular maker.
THEME = TerminalTheme(
    (24, 26, 31),
    (215, 218, 224),
    [(24, 26, 31), (224, 108, 117), (126, 192, 138), (222, 184, 104),
     (97, 160, 230), (190, 132, 220), (86, 190, 200), (215, 218, 224)],
    [(120, 126, 138), (235, 125, 132), (145, 210, 155), (235, 200, 125),
     (120, 180, 245), (205, 150, 232), (110, 208, 216), (255, 255, 255)],
)  # fmt: skip
# Rich's own frame asks a server for its font.
FRAME = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}</defs>
<rect fill="rgb(24,26,31)" x="1" y="1" width="{width}" height="{height}" rx="8"/>
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">
{matrix}
</g></g></svg>
"""


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with _project() as folder:
        for name, commands in TERMINALS.items():
            shown = "\n".join(f"$ {command}\n{_said(command, folder)}" for command in commands)
            (PICTURES / f"{name}.svg").write_text(_drawn(shown), encoding="utf-8")
        _said("dspy-profiles trace latest --html trace.html", folder)
        (folder / "notebook.html").write_text(_notebook(folder), encoding="utf-8")
        with _browser() as browser:
            _photographed(browser, folder / "trace.html", "trace", 1200, 600)
            _photographed(browser, folder / "notebook.html", "notebook", 1000, 640)


@contextmanager
def _project() -> Iterator[Path]:
    """A folder with these files, which is home as well."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "capitals"
        folder.mkdir()
        for path, text in FILES.items():
            (folder / path).write_text(text, encoding="utf-8")
        for each in [each for each in os.environ if each.startswith(("DSPY_", "XDG_", "OPENAI_"))]:
            del os.environ[each]
        os.environ |= {"HOME": name, "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
        os.environ["PYTEST_ADDOPTS"] = "-p no:asyncio -p no:randomly"  # no word of other plugins
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        os.chdir(folder)
        yield folder


def _said(command: str, folder: Path) -> str:
    """What a command prints on a terminal, with its colours."""
    terminal = pexpect.spawn(
        "/bin/sh", ["-c", command], cwd=str(folder), encoding="utf-8", dimensions=(60, WIDTH)
    )
    said: str = terminal.read()
    terminal.close()
    return said.replace("\r\n", "\n")


def _drawn(shown: str) -> str:
    text = Text.from_ansi(shown.rstrip())
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere)
        console.print(text)
    return console.export_svg(theme=THEME, code_format=FRAME, unique_id="terminal")


def _notebook(folder: Path) -> str:
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, resources={"metadata": {"path": str(folder)}}).execute()
    page, _ = HTMLExporter(template_name="lab").from_notebook_node(notebook)
    return str(page)


@contextmanager
def _browser() -> Iterator[Any]:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        sys.exit("there is no chromium here, which takes the pictures of pages")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=list(QUIET))
        yield browser
        browser.close()


def _photographed(browser: Any, page: Path, name: str, width: int, height: int) -> None:
    opened = browser.new_page(viewport={"width": width, "height": height})
    opened.goto(page.as_uri())
    opened.screenshot(path=str(PICTURES / f"{name}.png"))


if __name__ == "__main__":
    main()
