"""Importing the package, beside an empty Python and beside DSPy."""

from benchmarks.measuring import Row, process_seconds


def rows() -> list[Row]:
    ours, empty, dspy = process_seconds(
        [["-c", "import dspy_profiles"], ["-c", "pass"], ["-c", "import dspy"]]
    )
    return [
        Row("import dspy_profiles", ours, "python -c pass", empty, 3),
        Row("import dspy_profiles", ours, "import dspy", dspy, 1 / 15),
    ]
