"""An error of ours on its way past DSPy."""

from dspy_profiles.errors import ProfileError

__all__ = ["BrokenOff", "Held", "held_in", "let_out"]


class Held(BaseException):
    """Carries an error to our own boundary: the end of a block, a test's report, a program's end.

    DSPy makes a failed example, a retry or a None of every Exception that an LM raises.
    """

    def __init__(self, error: ProfileError) -> None:
        super().__init__(error)
        self.error = error
        # Read only where nothing lets it out: what was configured has no end to come out at.
        self.add_note(
            f"  to catch this as {type(error).__name__}, open a block around the call: "
            "with profile(…)"
        )

    def __str__(self) -> str:
        return str(self.error)


class BrokenOff(EOFError):
    """A stream ended by itself, without its end event. Stages are told; it is never raised."""

    def __init__(self) -> None:
        super().__init__("the stream ended without an end event")


def held_in(error: BaseException | None) -> Held | None:
    """The one that this error is, or that a group of errors holds."""
    if isinstance(error, Held):
        return error
    if isinstance(error, BaseExceptionGroup):  # what a TaskGroup makes of it
        return next((found for each in error.exceptions if (found := held_in(each))), None)
    return None


def let_out(error: BaseException | None) -> None:
    """Raise the error that was carried, if one was: here is our own boundary."""
    if (held := held_in(error)) is not None:
        raise held.error.with_traceback(held.__traceback__) from None
