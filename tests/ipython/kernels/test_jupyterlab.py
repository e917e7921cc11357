"""JupyterLab in a real browser: what is typed, shown and completed there.

`DSPY_PROFILES_TEST_SCREENSHOTS` names a folder that keeps what the browser showed.
"""

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

for needed in ("playwright", "jupyterlab", "ipykernel"):
    if importlib.util.find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed", allow_module_level=True)
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
if BROWSER is None:
    pytest.skip("there is no chromium", allow_module_level=True)

from playwright.sync_api import expect, sync_playwright  # noqa: E402 - skipped where it is not

SCREENSHOTS = os.environ.get("DSPY_PROFILES_TEST_SCREENSHOTS")  # no test sees it
CANARY = "sk-canary-4711-never-shown"
PATIENCE = 60_000  # milliseconds for one step, on a machine that does other things as well
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PROFILES = """
[base]
lm.model = "openai/gpt-4o-mini"
lm.api_key = "${THE_KEY}"
provider.class = "mock"

[dev]
extends = "base"

[prod]
extends = "base"
description = "paid, slow, good"
lm.model = "openai/gpt-4o"
lm.extra_headers = { x-team = "${THE_TEAM}" }
settings.num_threads = 32
"""
CELLS = (
    "%load_ext dspy_profiles_ipython",
    "%dspy_profile --list",
    "%dspy_profile prod",
    "%dspy_profile --list",
    "%%dspy_profile dev\nimport dspy\nawait dspy.Predict('question -> answer').acall(question='?')",
    "%dspy_profile pord",
)


@pytest.fixture
def folder() -> Any:
    """Where the screenshots go."""
    if SCREENSHOTS is None:
        return None
    Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
    return Path(SCREENSHOTS)


@pytest.fixture
def lab(write: Any, project: Path, tmp_path: Path) -> Iterator[Any]:
    """The address of a JupyterLab that has one notebook."""
    write("profiles.toml", PROFILES)
    cells = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "source": source, "outputs": []}
        | {"execution_count": None}
        for n, source in enumerate(CELLS)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4}
    (project / "work.ipynb").write_text(json.dumps({**notebook, "nbformat_minor": 5}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *(f"--ServerApp.port={port}", "--IdentityProvider.token=", "--ServerApp.password="),
        "--ServerApp.disable_check_xsrf=True",
        "--LabApp.expose_app_in_browser=True",  # for its commands
    ]
    settings = tmp_path / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    log = (tmp_path / "lab.log").open("w")
    environment = {
        **os.environ,
        "THE_KEY": CANARY,
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"),
    }
    server = subprocess.Popen(words, stdout=log, stderr=log, env=environment)
    address = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{address}/api/status", timeout=5).close()
            break
        except OSError:
            assert server.poll() is None, (tmp_path / "lab.log").read_text()
            time.sleep(0.1)
    yield address
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(30)
    except subprocess.TimeoutExpired:
        server.kill()
    log.close()


@pytest.fixture
def page(lab: Any, tmp_path: Path) -> Iterator[Any]:
    with sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            str(tmp_path / "browser"),
            executable_path=BROWSER,
            headless=True,
            args=list(QUIET),
            viewport={"width": 1200, "height": 1000},
        )
        page = context.pages[0]
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        page.goto(f"{lab}/lab/tree/work.ipynb")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible()
        yield page
        context.close()


def command(page: Any, name: str) -> None:
    """Run one of JupyterLab's own commands."""
    page.wait_for_function("window.jupyterapp !== undefined")
    page.evaluate("name => void window.jupyterapp.commands.execute(name)", name)


def theme(page: Any, name: str) -> None:
    page.evaluate(
        "theme => void window.jupyterapp.commands.execute('apputils:change-theme', {theme})", name
    )
    expect(page.locator("body")).to_have_attribute("data-jp-theme-name", name)
    expect(page.locator("#jupyterlab-splash")).to_have_count(0)


def test_load_switch_list_and_a_card(page: Any, folder: Any) -> None:
    outputs = page.locator(".jp-Cell .jp-Cell-outputArea")
    command(page, "notebook:run-all-cells")
    expect(outputs.nth(5)).to_contain_text('did you mean "prod"?')
    card = outputs.nth(2)
    for text in ("prod", "active", "openai/gpt-4o", "${THE_KEY}", "✓ set in the environment"):
        expect(card).to_contain_text(text)
    expect(card).to_contain_text("✗ THE_TEAM is not set")
    expect(card.locator("table")).to_have_count(1)
    expect(outputs.nth(3)).to_contain_text("active")
    expect(outputs.nth(4)).to_contain_text("mock answer")
    assert CANARY not in page.content()
    for name in ("JupyterLab Light", "JupyterLab Dark"):
        theme(page, name)
        if folder is not None:
            file = name.split()[-1].lower()
            page.screenshot(path=folder / f"jupyterlab-{file}.png")


def test_tab_completes_a_name(page: Any, folder: Any) -> None:
    command(page, "notebook:run-cell")
    expect(page.locator(".jp-InputPrompt").first).to_have_text("[1]:")
    editor = page.locator(".jp-Cell").nth(1).locator(".cm-content")
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.type("%dspy_profile ")
    page.keyboard.press("Tab")
    menu = page.locator(".jp-Completer-item")
    for name in ("base", "dev", "prod", "mock"):
        expect(menu.filter(has_text=name)).to_have_count(1)
    if folder is not None:
        page.screenshot(path=folder / "jupyterlab-completion.png")
    page.keyboard.type("pr")
    expect(menu.first).to_contain_text("prod")  # JupyterLab's own words of the page come behind
    page.keyboard.press("Enter")
    expect(editor).to_have_text("%dspy_profile prod")
