# ruff: noqa: INP001 - a script among pages is no package
"""How Sphinx makes a site of these pages, which are read as they are in the repository too."""

import re

from sphinx.application import Sphinx

import dspy_profiles

project = "dspy-profiles"
version = release = dspy_profiles.__version__
author = "the dspy-profiles contributors"
copyright = author  # noqa: A001 - the name that Sphinx gives it

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"dspy-profiles {version}"
html_show_sphinx = False
myst_heading_anchors = 4
# Blocks that show a part of a file, or what a program prints, are in no language to the letter.
suppress_warnings = ["misc.highlighting_failure"]

SECTION = re.compile(r"^## (?P<title>.+)$", re.MULTILINE)
PAGE = re.compile(r"\]\((?P<page>[\w/-]+)\.md\)")


def _contents(_: Sphinx, name: str, source: list[str]) -> None:
    """The order of the site is that of the first page's links, so that there is only one."""
    if name != "index":
        return
    _, *parts = SECTION.split(source[0])
    seen: set[str] = set()
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        pages = [page for page in dict.fromkeys(PAGE.findall(text)) if page not in seen]
        seen.update(pages)
        tree = "\n".join(pages)
        source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{tree}\n```\n"


def setup(app: Sphinx) -> None:
    app.connect("source-read", _contents)
