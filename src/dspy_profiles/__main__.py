"""`python -m dspy_profiles`: the same program as `dspy-profiles`."""

from dspy_profiles.cli import app

app(prog_name="dspy-profiles")
