"""The magics in real kernels, of ipykernel 6 and 7 where both are there."""

from typing import Any

import pytest

MODEL = "dspy.settings.lm.model"


def test_cells_of_every_kind(kernel: Any) -> None:
    for cell, value in (
        (MODEL, "'openai/dev'"),
        (f"await asyncio.sleep(0.01)\n{MODEL}", "'openai/dev'"),
        (f"(await asyncio.gather(asyncio.sleep(0, {MODEL})))[0]", "'openai/dev'"),
        ("async def each():\n    yield 1\n[n async for n in each()]", "[1]"),
        ("(await dspy.Predict('question -> answer').acall(question='?')).answer[:4]", "'mock'"),
        ("dspy.Predict('question -> answer')(question='?').answer[:4]", "'mock'"),
        (f"%%time\n{MODEL}", "'openai/dev'"),
        (f"found = !echo shell\nfound[0], {MODEL}", "('shell', 'openai/dev')"),
        ("42;", None),
        (f"%%dspy_profile prod\nawait asyncio.sleep(0)\n{MODEL}", "'openai/prod'"),
        ("from __future__ import annotations\n1", "1"),
    ):
        said = kernel(f"%%dspy_profile dev\n{cell}")
        assert (said.status, said.value) == ("ok", value), said.text
        assert kernel("dspy.settings.lm").value is None
    assert kernel(f"%%capture caught\n%%dspy_profile dev\nprint({MODEL})").status == "ok"
    assert kernel("caught.stdout").value == "'openai/dev\\n'"
    assert kernel("Out[max(Out)], _").status == "ok"


def test_cards_come_as_html_and_text(kernel: Any) -> None:
    for line in ("", "--list", "--show prod"):
        kernel("%dspy_profile dev")
        (shown,) = kernel(f"%dspy_profile {line}").shown
        assert set(shown) == {"text/html", "text/plain"}


def test_errors_are_short(kernel: Any) -> None:
    for cell in ("%dspy_profile devv", "%%dspy_profile devv\nran = 1", "%dspy_profile keyless"):
        said = kernel(cell)
        assert (said.status, said.error) == ("error", "UsageError")
        assert said.err.startswith("UsageError: ")
        assert "Traceback" not in said.text
        assert "File" not in said.text
    assert kernel("ran").error == "NameError"
    said = kernel("%%dspy_profile dev\nx = 1\n\n1 / 0")
    assert said.error == "ZeroDivisionError"
    assert "line 4" in said.traceback.replace("\x1b[", "")
    assert "dspy_profiles_ipython" not in said.traceback


@pytest.mark.parametrize(
    "wait",
    # ipykernel cancels an awaiting cell when its event loop wakes up next.
    ["time.sleep(60)", "for _ in range(600):\n    await asyncio.sleep(0.1)"],
)
def test_an_interrupted_cell_leaves_the_profile(kernel: Any, wait: Any) -> None:
    begun = kernel.client.execute(f"%%dspy_profile dev\nprint({MODEL}, flush=True)\n{wait}")
    kernel.prints(begun)
    kernel.manager.interrupt_kernel()
    said = kernel.ended(begun)
    assert said.error in ("KeyboardInterrupt", "CancelledError")
    assert kernel("dspy.settings.lm is None").value == "True"
    assert kernel(f"%%dspy_profile prod\n{MODEL}").value == "'openai/prod'"


def test_a_restart_begins_afresh(kernel: Any) -> None:
    kernel("%dspy_profile dev")
    kernel.restart()
    assert "not found" in kernel("%dspy_profile").err
    said = kernel("%load_ext dspy_profiles_ipython\n%dspy_profile")
    assert "no profile is active" in said.out


def test_two_kernels_keep_apart(kernel: Any, new_kernel: Any) -> None:
    other = new_kernel()
    other("%load_ext dspy_profiles_ipython\nimport dspy")
    kernel("%dspy_profile dev")
    other("%dspy_profile prod")
    assert kernel(MODEL).value == "'openai/dev'"
    assert other(MODEL).value == "'openai/prod'"
    other("%dspy_profile --off")
    assert kernel(MODEL).value == "'openai/dev'"
    assert other("dspy.settings.lm is None").value == "True"


def test_a_profile_of_the_notebook_is_seen_everywhere(kernel: Any) -> None:
    kernel("%dspy_profile dev")
    kernel("import threading\nfrom concurrent.futures import ThreadPoolExecutor\nseen = []")
    cell = f"seen.append({MODEL})"
    kernel(f"def look():\n    {cell}\n")
    kernel("thread = threading.Thread(target=look)\nthread.start()\nthread.join()")
    kernel("with ThreadPoolExecutor() as pool:\n    pool.submit(look).result()")
    kernel("await asyncio.to_thread(look)")
    kernel("await asyncio.create_task(asyncio.to_thread(look))")
    kernel("ask = dspy.Predict('question -> answer')\nawait ask.acall(question='?')\nlook()")
    assert kernel("set(seen), len(seen)").value == "({'openai/dev'}, 5)"


def test_what_outlives_a_cell_keeps_its_profile_and_others_do_not_see_it(kernel: Any) -> None:
    kernel("from dspy_profiles import bind\nimport threading\ngo = threading.Event()\nseen = {}")
    kernel(
        "%%dspy_profile dev\n"
        "async def task():\n"
        "    while not go.is_set():\n"
        "        await asyncio.sleep(0.01)\n"
        f"    seen['task'] = {MODEL}\n"
        "def look(name):\n"
        "    go.wait()\n"
        "    seen[name] = getattr(dspy.settings.lm, 'model', None)\n"
        "running = asyncio.create_task(task())\n"
        "threads = [threading.Thread(target=bind(look), args=['bound']),\n"
        "           threading.Thread(target=look, args=['bare'])]\n"
        "for thread in threads: thread.start()"
    )
    assert kernel("dspy.settings.lm is None").value == "True"
    kernel("go.set()\nawait running\nfor thread in threads: thread.join()")
    assert kernel("sorted(seen.items())").value == (
        "[('bare', None), ('bound', 'openai/dev'), ('task', 'openai/dev')]"
    )
    kernel("%%dspy_profile dev\nlater = asyncio.create_task(asyncio.sleep(0.2))")
    assert kernel("dspy.settings.lm is None").value == "True"


def test_a_cell_profile_reaches_dspys_own_threads(kernel: Any) -> None:
    said = kernel(
        "%%dspy_profile dev\n"
        "class Look(dspy.Module):\n"
        f"    def forward(self, n):\n        return dspy.Prediction(model={MODEL})\n"
        "run = dspy.Parallel(num_threads=2, disable_progress_bar=True)\n"
        "{each.model for each in run([(Look(), {'n': n}) for n in range(4)])}"
    )
    assert said.value == "{'openai/dev'}", said.text


def test_names_complete_in_jupyter(kernel: Any) -> None:
    assert kernel.completes("%dspy_profile pr") == ["prod"]
    assert kernel.completes("%dspy_profile ") == [
        *("base", "dev", "keyless", "prod", '"two words"', "mock")
    ]
    assert kernel.completes("%%dspy_profile de") == ["dev"]
    assert kernel.completes("%dspy_profile dev --set lm.temp") == ["lm.temperature="]
    assert kernel.completes("%dspy_profile --s") == ["--set", "--show"]
    assert kernel.completes("%dspy_profile zzz") == []


def test_the_variable_of_a_kernel_is_applied_at_load(new_kernel: Any, profiles: Any) -> None:
    kernel = new_kernel(DSPY_PROFILE="prod")
    assert kernel("%load_ext dspy_profiles_ipython").out == "dspy: profile prod (DSPY_PROFILE)\n"
    assert kernel(f"import dspy\n{MODEL}").value == "'openai/prod'"


def test_a_configuration_file_loads_and_applies(
    new_kernel: Any, profiles: Any, tmp_path: Any
) -> None:
    config = tmp_path / "ipython" / "profile_default" / "ipython_config.py"
    config.parent.mkdir(parents=True)
    config.write_text(
        "c.InteractiveShellApp.extensions = ['dspy_profiles_ipython']\n"
        "c.DspyProfiles.default = 'dev'\n"
        "c.DspyProfiles.auto = True\n"
    )
    kernel = new_kernel()
    assert kernel(f"import dspy\n{MODEL}").value == "'openai/dev'"
