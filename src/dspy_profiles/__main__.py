"""`python -m dspy_profiles`: the same program as `dspy-profiles`."""

import atexit
import gc
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line as a program of its own."""
    # Most commands are over before a collection would find anything; one at the exit finds nothing
    # of use. A program that mounts or calls `app` keeps its collector as it is.
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 50)
    atexit.register(gc.freeze)
    try:
        from dspy_profiles.cli import app

        app(prog_name="dspy-profiles")
    finally:
        gc.set_threshold(*before)


if __name__ == "__main__":
    if not sys.flags.safe_path:
        # `python -m` puts the working directory first: no module of ours is taken from there.
        del sys.path[0]
    main()
