"""Whole notebooks, run from top to bottom as nbclient, nbconvert and CI do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")

EXAMPLES = Path(__file__).parents[3] / "examples" / "notebooks"
CANARY = "sk-canary-4711-never-shown"
NETWORK = """
import os, sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo") and "127.0.0.1" not in repr(arguments):
        if "AF_UNIX" not in repr(arguments):
            open(os.environ["TOLD_NETWORK"], "a").write(f"{event} {arguments[1:]}\\n")
            raise OSError("no network here")

sys.addaudithook(refuse)
"""


@pytest.fixture
def execute(new_kernel: Any, python: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a notebook, offline; what it is afterwards."""
    guard = tmp_path / "guard" / "sitecustomize.py"
    guard.parent.mkdir()
    guard.write_text(NETWORK)
    told = tmp_path / "network"
    monkeypatch.setenv("PYTHONPATH", str(guard.parent))
    monkeypatch.setenv("TOLD_NETWORK", str(told))
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")

    def executed(notebook: Any, folder: Path, **how: Any) -> Any:
        client = nbclient.NotebookClient(
            notebook,
            kernel_name="tried",
            timeout=300,
            resources={"metadata": {"path": str(folder)}},
            **how,
        )
        client.execute()
        assert not told.exists(), told.read_text()
        return notebook

    return executed


def outputs(notebook: Any) -> Any:
    return [each for cell in notebook.cells for each in cell.get("outputs", [])]


SHOWN = {  # what the mock, asked the same, always answers
    "predict": "active",
    "react": "height 3967\nfeet 13015.0",
    "optimizer": "100.0)",
}


@pytest.mark.parametrize("name", SHOWN)
def test_an_example_runs_offline_under_the_mock(execute: Any, name: Any, tmp_path: Path) -> None:
    folder = tmp_path / "reader"
    folder.mkdir()
    notebook = nbformat.read(shutil.copy(EXAMPLES / f"{name}.ipynb", folder), as_version=4)
    nbformat.validate(notebook)
    assert outputs(notebook) == []
    execute(notebook, folder)
    found = outputs(notebook)
    assert not [each for each in found if each["output_type"] == "error"]
    assert any("text/html" in each.get("data", {}) for each in found)
    assert "Warning" not in str(found)
    texts = [each.get("text") or each["data"]["text/plain"] for each in found]
    assert SHOWN[name] in "\n".join(texts)


def test_the_examples_are_all_tried() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.ipynb")} == set(SHOWN)


def cells(*sources: Any) -> Any:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in sources])


def test_no_secret_gets_into_a_notebook_file(
    execute: Any, project: Path, write: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("THE_KEY", CANARY)
    write(".env", f"OTHER_KEY={CANARY}-too\n")
    write(
        "profiles.toml",
        '[a.lm]\nmodel = "openai/a"\napi_key = "${THE_KEY}"\napi_base = "http://127.0.0.1:9/v1"\n'
        "num_retries = 0\n"
        '[b.lm]\nmodel = "openai/b"\napi_key = "${OTHER_KEY}"\n'
        f'[c.lm]\nmodel = "openai/c"\napi_key = "{CANARY}"\n'
        '[d.provider]\nclass = "no_such_package.Provider"\nkey = "${THE_KEY}"\n',
    )
    notebook = execute(
        cells(
            "%load_ext dspy_profiles_ipython\nimport dspy",
            "%dspy_profile --list",
            "%dspy_profile a",
            "%dspy_profile",
            "dspy.settings.lm",
            "dspy.Predict('question -> answer')(question='?')",
            "%%dspy_profile b\nfrom dspy_profiles import current_profile\ncurrent_profile()",
            "%dspy_profile c",
            "%%dspy_profile c\n1",
            "%dspy_profile --show c",
            "%dspy_profile d",
            "%dspy_profile a --set lm.temperature=hot",
            "%dspy_profile --off",
        ),
        project,
        allow_errors=True,
    )
    file = tmp_path / "done.ipynb"
    nbformat.write(notebook, file)
    assert "${THE_KEY}" in file.read_text()
    assert CANARY not in file.read_text()
    kinds = [each["ename"] for each in outputs(notebook) if each["output_type"] == "error"]
    assert "UsageError" not in kinds  # they are told without a traceback


def test_run_gives_every_cell_of_an_unchanged_notebook_its_profile(
    new_kernel: Any, project: Path, profiles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`dspy-profiles run -- jupyter …`: the kernel is a child of a child."""
    nbformat.write(cells("import dspy\nprint(dspy.settings.lm.model)"), project / "plain.ipynb")
    script = (
        "import nbclient, nbformat\n"
        "notebook = nbformat.read('plain.ipynb', as_version=4)\n"
        "nbclient.NotebookClient(notebook, kernel_name='tried', timeout=200).execute()\n"
        "print(notebook.cells[0].outputs[0].text)\n"
    )
    command = [sys.executable, "-m", "dspy_profiles", "run", "-p", "prod", "--"]
    done = subprocess.run(
        [*command, sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )
    assert "openai/prod" in done.stdout, done.stderr
