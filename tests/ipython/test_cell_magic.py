"""`%%dspy_profile`: one cell under a profile."""

import asyncio
import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles import current_profile

MODEL = "dspy.settings.lm.model"


@pytest.fixture(autouse=True)
def imported(shell: Any) -> None:
    shell("import dspy, asyncio")


@pytest.fixture(autouse=True)
def left(shell: Any) -> Iterator[Any]:
    """Whatever the cell does, the profile is left."""
    yield
    assert current_profile() is None
    assert shell.lm() is None


def numbered(said: Any) -> list[str]:
    """The lines that a traceback points at."""
    return re.findall(r"^-+> (.*)$", said.out, re.MULTILINE)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("dspy.settings.lm.model", "openai/dev"),
        ("await asyncio.sleep(0)\ndspy.settings.lm.model", "openai/dev"),
        ("await asyncio.sleep(0, dspy.settings.lm.model)", "openai/dev"),
        ("x = 1\nx", 1),
        ("x = 1", None),
        ("x = 1; x", 1),
        ("if True:\n    2", None),
        ("1, *range(2)", (1, 0, 1)),
        ("(yes := dspy.settings.lm.model)", "openai/dev"),
        ("'a docstring'\n'the value'", "the value"),
        ("'only a docstring'", "only a docstring"),
        ("# a comment\n\n3  # another\n# and one more", 3),
        ("\n\n\n4", 4),
        ("    5", 5),
        ("async def f():\n    return dspy.settings.lm.model\nawait f()", "openai/dev"),
        (
            (
                "async def each():\n    for n in range(2):\n        yield n\n"
                "found = []\nasync for n in each():\n    found.append(n)\nfound"
            ),
            [0, 1],
        ),
        (
            (
                "import contextlib\n@contextlib.asynccontextmanager\nasync def of():\n    yield 6\n"
                "async with of() as found:\n    pass\nfound"
            ),
            6,
        ),
        ("[await asyncio.sleep(0, n) for n in range(2)]", [0, 1]),
        (
            (
                "async def one():\n    await asyncio.sleep(0)\n    return dspy.settings.lm.model\n"
                "await asyncio.gather(one(), one())"
            ),
            ["openai/dev"] * 2,
        ),
        ("def f():\n    '''Doc.'''\n    global made\n    made = 7\nf()\nmade", 7),
        ("global made\nmade = 8\nmade", 8),
        ("import functools\n@functools.cache\ndef f():\n    return 9\nf()", 9),
        ("class C:\n    n = 10\nC.n", 10),
        ("lines = !echo eleven\nlines[0]", "eleven"),
        ("%time 12", 12),
        (
            "from __future__ import annotations\ndef f(x: nobody): ...\nf.__annotations__['x']",
            "nobody",
        ),
        ("'''Doc.'''\nfrom __future__ import annotations\n13", 13),
        ("%%time\ndspy.settings.lm.model", "openai/dev"),
        ("\n%%time\ndspy.settings.lm.model", "openai/dev"),
        ("%%dspy_profile prod\ndspy.settings.lm.model", "openai/prod"),
        ("%%dspy_profile prod\nawait asyncio.sleep(0, dspy.settings.lm.model)", "openai/prod"),
        ("text = '''\n%%dspy_profile prod\n'''\ntext", "\n%%dspy_profile prod\n"),
    ],
)
def test_a_cell_runs_as_if_it_were_in_a_block(shell: Any, cell: Any, value: Any) -> None:
    said = shell(f"%%dspy_profile dev\n{cell}")
    assert said.error is None
    assert said.value == value


def test_the_last_value_is_displayed_and_kept(shell: Any) -> None:
    said = shell("%%dspy_profile dev\n1\n41 + 1")
    assert said.out.strip().endswith("42")
    assert "1\n" not in said.out.replace("42", "")
    assert shell.ip.user_ns["_"] == 42
    assert shell.ip.user_ns["Out"][shell.ip.execution_count - 1] == 42


def test_a_semicolon_keeps_it_quiet(shell: Any) -> None:
    assert shell("%%dspy_profile dev\n42;").out == ""
    assert shell("%%dspy_profile dev\n42;  # quiet").out == ""
    assert "42" in shell("%%dspy_profile dev\n1; 42").out


def test_without_history_it_runs_as_well(shell: Any) -> None:
    said = shell(f"%%dspy_profile dev\n{MODEL}", store_history=False)
    assert said.value == "openai/dev"


@pytest.mark.parametrize(
    ("interactivity", "cell", "shown"),
    [
        ("all", "1\n2\nx = 3", ["1", "2"]),
        ("last_expr_or_assign", "1\nx = 3", ["3"]),
        ("last_expr_or_assign", "x = 1\nx += 3", ["4"]),
        ("last_expr_or_assign", "x: int = 5", ["5"]),
        ("last_expr_or_assign", "x, y = 5, 6", []),
        ("last", "1\n2", ["2"]),
        ("last", "1\nx = 3", []),
        ("none", "1\n2", []),
    ],
)
def test_what_is_displayed_follows_the_shells_setting(
    shell: Any, interactivity: Any, cell: Any, shown: Any
) -> None:
    shell.ip.ast_node_interactivity = interactivity
    plain = shell(cell).out
    said = shell(f"%%dspy_profile dev\n{cell}").out
    of = [line.partition(": ")[2] for line in said.splitlines() if line.startswith("Out[")]
    assert of == shown
    assert len(plain.splitlines()) == len(said.splitlines())


def test_shell_commands_and_magics_run_in_it(shell: Any) -> None:
    said = shell("%%dspy_profile dev\n!echo from the shell\n%dspy_profile\n%pwd")
    assert "from the shell" in said.out
    assert "dev  for <b>work</b>  (active" in said.text
    assert said.value == str(Path.cwd())


@pytest.mark.parametrize("outer", ["%%time", "%%capture caught"])
def test_other_cell_magics_go_around_it(shell: Any, outer: Any) -> None:
    said = shell(f"{outer}\n%%dspy_profile dev\nprint({MODEL})")
    assert said.error is None
    caught = shell.ip.user_ns.get("caught")
    assert "openai/dev" in (said.out if caught is None else caught.stdout)


def test_other_cell_magics_go_inside(shell: Any) -> None:
    shell(f"%%dspy_profile dev\n%%capture caught\nprint({MODEL})")
    assert shell.ip.user_ns["caught"].stdout == "openai/dev\n"
    said = shell(
        f"%%dspy_profile dev\n%%timeit -n1 -r1\nseen = {MODEL}\nassert seen == 'openai/dev'"
    )
    assert said.error is None
    assert "per loop" in said.out


def test_timeit_goes_around_it(shell: Any) -> None:
    shell("seen = []")
    said = shell(f"%%timeit -n1 -r1\n%%dspy_profile dev\nseen.append({MODEL})")
    assert said.error is None
    assert shell.ip.user_ns["seen"] == ["openai/dev"]


def test_in_a_magic_that_keeps_the_cell_whole_it_refuses(shell: Any) -> None:
    said = shell("%%prun\n%%dspy_profile dev\nran = True")
    assert said.kind == "UsageError"
    assert "%%dspy_profile must be the first line of its cell" in said.err
    assert "ran" not in shell.ip.user_ns


def test_a_program_can_call_it(shell: Any) -> None:
    said = shell(f"get_ipython().run_cell_magic('dspy_profile', 'dev', 'print({MODEL})')")
    assert said.out == "openai/dev\n"


def test_overrides_and_python_values(shell: Any) -> None:
    shell("which = 'prod'")
    cell = "dspy.settings.lm.model, dspy.settings.lm.kwargs['temperature']"
    said = shell(f"%%dspy_profile {{which}} --set lm.temperature=0\n{cell}")
    assert said.value == ("openai/prod", 0)
    assert shell(f"%%dspy_profile 'two words'\n{MODEL}").value == "mock"


@pytest.mark.parametrize(
    "line", ["%%dspy_profile", "%%dspy_profile dev", "%%dspy_profile dev\n\n "]
)
def test_a_cell_without_a_body_is_an_error(shell: Any, line: Any) -> None:
    said = shell(line)
    assert said.kind == "UsageError"
    assert "the cell body is empty" in said.err
    assert "%dspy_profile (single %)" in said.err


def test_a_cell_of_comments_does_nothing(shell: Any) -> None:
    assert shell("%%dspy_profile dev\n# nothing").error is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "needs the name of a profile\n  hint: %%dspy_profile NAME, with one of base, dev,"),
        ("devv", 'did you mean "dev"?'),
        ("keyless", "NOT_THERE"),
        ("dev prod", "takes one name"),
        ("--list", "%%dspy_profile has no option --list"),
        ("mock?", 'profile "mock?" not found'),
        ("?", 'profile "?" not found'),
    ],
)
def test_an_error_in_the_first_line_is_told_in_short_and_nothing_runs(
    shell: Any, line: Any, said: Any
) -> None:
    told = shell(f"%%dspy_profile {line}\nran = True")
    assert told.kind == "UsageError"
    assert said in told.err
    assert "Traceback" not in told.text
    assert "ran" not in shell.ip.user_ns


def test_help(shell: Any) -> None:
    for cell in ("%%dspy_profile?", "%dspy_profile?"):
        assert shell(cell).error is None


def test_windows_line_ends(shell: Any) -> None:
    said = shell(f"%%dspy_profile dev\r\nx = 1\r\n{MODEL}\r\n")
    assert said.value == "openai/dev"
    assert shell("%%dspy_profile\r\nx").kind == "UsageError"


def test_blank_lines_may_stand_before_it_and_nothing_else(shell: Any) -> None:
    assert shell(f"\n\n%%dspy_profile dev\n{MODEL}").value == "openai/dev"
    said = shell(f"# a comment\n%%dspy_profile dev\n{MODEL}")
    assert said.kind == "UsageError"  # as for every cell magic


def test_an_exception_has_its_own_line_and_source(shell: Any) -> None:
    said = shell("%%dspy_profile dev\nx = 1\n\n1 / 0  # here")
    assert said.kind == "ZeroDivisionError"
    assert "line 4" in said.out
    assert numbered(said) == ["4 1 / 0  # here"]
    assert "__import__" not in said.out
    assert "dspy_profiles_ipython" not in said.out


def test_an_exception_in_a_function_of_an_earlier_cell(shell: Any) -> None:
    shell("%%dspy_profile dev\n\ndef f():\n    raise ValueError('mine')")
    said = shell("f()")
    assert numbered(said) == ["1 f()", "4     raise ValueError('mine')"]


def test_an_exception_in_an_await(shell: Any) -> None:
    said = shell("%%dspy_profile dev\nawait asyncio.sleep(0)\nawait asyncio.sleep(0, 1 / 0)")
    assert said.kind == "ZeroDivisionError"
    assert "line 3" in said.out


def test_an_exception_in_the_last_value(shell: Any) -> None:
    said = shell("%%dspy_profile dev\n(\n  1 /\n  0\n)")
    assert said.kind == "ZeroDivisionError"
    assert "line 3" in said.out


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("x = \n", 2),
        ("x = 1\nreturn x", 3),
        ("def f():\n    await x", 3),
        ("x = 1\nyield x", 3),
        ("x = 1\nnonlocal x", 3),
        ("if True:\nx", 3),
        ("x = 1\n*x", 3),
        ("x = 1\nfrom __future__ import annotations", 3),
    ],
)
def test_a_syntax_error_has_its_own_line(shell: Any, cell: Any, line: Any) -> None:
    said = shell(f"%%dspy_profile dev\n{cell}")
    assert isinstance(said.error, SyntaxError)
    assert said.error.lineno == line


def test_stop_iteration_and_exits_come_through(shell: Any) -> None:
    assert shell("%%dspy_profile dev\nnext(iter([]))").kind == "StopIteration"
    assert shell("%%dspy_profile dev\nraise GeneratorExit").kind == "GeneratorExit"
    assert shell("%%dspy_profile dev\nraise KeyboardInterrupt").kind == "KeyboardInterrupt"


@pytest.mark.skipif(os.name == "nt", reason="signals of this kind are POSIX")
@pytest.mark.parametrize(
    "cell",
    [
        "threading.Event().wait(60)",
        "await asyncio.sleep(60)",
    ],
)
def test_an_interrupted_cell_leaves_the_profile(shell: Any, cell: Any) -> None:
    shell.ip.user_ns.update(
        threading=threading,
        soon=lambda: threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start(),
    )
    said = shell(f"%%dspy_profile dev\nsoon()\n{cell}")
    assert said.kind in ("KeyboardInterrupt", "CancelledError")


def test_it_nests_with_blocks_and_contexts(shell: Any) -> None:
    shell("from dspy_profiles import profile")
    cell = (
        f"seen = [{MODEL}]\n"
        f"with profile('prod'):\n    seen.append({MODEL})\n"
        f"with dspy.context(lm=dspy.LM('mine')):\n    seen.append({MODEL})\n"
        f"[*seen, {MODEL}]"
    )
    said = shell(f"%%dspy_profile dev\n{cell}")
    assert said.value == ["openai/dev", "openai/prod", "mine", "openai/dev"]


def test_over_a_profile_of_the_notebook(shell: Any) -> None:
    shell("%dspy_profile prod")
    assert shell(f"%%dspy_profile dev\n{MODEL}, dspy.settings.num_threads").value == (
        "openai/dev",
        7,
    )
    assert shell(MODEL).value == "openai/prod"
    shell("%dspy_profile --off")


def test_switching_inside_of_it_holds_afterwards_and_is_said(shell: Any) -> None:
    said = shell(f"%%dspy_profile dev\n%dspy_profile prod\n{MODEL}")
    assert said.value == "openai/dev"
    assert "dev stays active in this block" in said.out
    assert shell(MODEL).value == "openai/prod"
    shell("%dspy_profile --off")


def test_two_cells_at_once_keep_apart(shell: Any) -> None:
    seen: list[Any] = []
    shell.ip.user_ns["seen"] = seen

    async def one(name: str) -> None:
        cell = f"%%dspy_profile {name}\nawait asyncio.sleep(0.01)\nseen.append({MODEL})"
        await shell.ip.run_cell_async(cell, transformed_cell=shell.ip.transform_cell(cell))

    async def both() -> None:
        await asyncio.gather(one("dev"), one("prod"))

    asyncio.run(both())
    assert seen == ["openai/dev", "openai/prod"]


def test_a_generator_runs_under_the_profile_of_who_takes_from_it(shell: Any) -> None:
    shell(f"%%dspy_profile dev\ndef each():\n    while True:\n        yield {MODEL}\nit = each()")
    assert shell("%%dspy_profile prod\nnext(it)").value == "openai/prod"
    assert shell("%%dspy_profile dev\nnext(it)").value == "openai/dev"


def test_it_survives_a_reset_of_the_users_names(shell: Any) -> None:
    shell("%reset -f")
    shell("import dspy")
    assert shell(f"%%dspy_profile dev\n{MODEL}").value == "openai/dev"


def test_no_name_of_ours_is_among_the_users(shell: Any) -> None:
    shell("%%dspy_profile dev\n1")
    assert not [name for name in shell.ip.user_ns if "dspy_profile" in name]


@pytest.mark.parametrize("rest", ["", "\nx = 1", "\nx = 1\n", "\nx = 1\n\n", "\n\n"])
def test_a_terminal_waits_for_the_rest_of_the_cell(shell: Any, rest: Any) -> None:
    as_others = shell.ip.check_complete(f"%%time{rest}")
    assert shell.ip.check_complete(f"%%dspy_profile dev{rest}") == as_others
    assert shell.ip.check_complete("%%dspy_profile dev")[0] == "incomplete"
