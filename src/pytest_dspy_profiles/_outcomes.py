"""How a test ended, as its three reports tell it one after the other."""

from typing import Any

__all__ = ["STATUS", "outcome_after"]

# In the words of the results. A test that is expected to fail, and does, has done what it should.
STATUS = {
    "passed": "done",
    "xfailed": "done",
    "failed": "failed",
    "error": "failed",
    "skipped": "skipped",
}


def outcome_after(before: str, report: Any) -> str:
    """What one more phase makes of it. A test that is run again starts anew."""
    if report.when == "setup":
        before = "interrupted"  # unless another phase follows
    elif before == "interrupted":
        before = "passed"
    if report.outcome == "rerun" or (report.outcome == "failed" and report.when == "call"):
        return "failed"
    if report.outcome == "failed":
        return "error"
    if report.outcome == "skipped" and before in ("passed", "interrupted"):
        return "xfailed" if hasattr(report, "wasxfail") else "skipped"
    return before
