"""Entering and leaving a warm block, beside `dspy.context(lm=…)`."""

import os
import tempfile
from pathlib import Path

import dspy

from benchmarks.measuring import Row, interleaved
from dspy_profiles import profile


def rows() -> list[Row]:
    return [
        _row("x", 1),
        _row("x", 1000),
        _row("x", 1, user="y"),  # there is a user file, and it has no say
        _row("y", 1, user="y"),  # two files have a say: the project's might shadow the user's
    ]


def _row(name: str, profiles: int, *, user: str = "") -> Row:
    lm = dspy.LM("openai/gpt-4o-mini")

    def context() -> None:
        with dspy.context(lm=lm):
            pass

    def block() -> None:
        with profile(name):
            pass

    before, home = Path.cwd(), os.environ["HOME"]
    with tempfile.TemporaryDirectory() as folder:
        text = "".join(f'[p{n}.lm]\nmodel = "openai/gpt-4o-mini"\n' for n in range(profiles - 1))
        Path(folder, ".git").mkdir()
        Path(folder, "profiles.toml").write_text('[x.lm]\nmodel = "openai/gpt-4o"\n' + text)
        os.environ["HOME"] = str(Path(folder, "home"))
        if user:
            Path(folder, "home", ".dspy").mkdir(parents=True)
            Path(folder, "home", ".dspy", "profiles.toml").write_text(
                f'[{user}.lm]\nmodel = "openai/gpt-4o"\n'
            )
        for file in Path(folder).rglob("profiles.toml"):
            os.utime(file, (0, 0))  # one that was written just now is looked at more closely
        os.chdir(folder)
        try:
            ours, theirs = interleaved([block, context])
        finally:
            os.chdir(before)
            os.environ["HOME"] = home
    layers = "of the user's file" if name == user else f"{profiles} in the file"
    layers += ", beside a user file" if user and name != user else ""
    return Row(f'with profile("{name}"), warm, {layers}', ours, "dspy.context(lm=…)", theirs, 3)
