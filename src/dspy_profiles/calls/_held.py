"""An error of ours on its way past DSPy."""

from dspy_profiles.errors import ProfileError

__all__ = ["BrokenOff", "Refused", "raise_refusal", "refusal_in"]


class Refused(BaseException):
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


def refusal_in(error: BaseException | None) -> Refused | None:
    """The one that this error is, or that a group of errors holds."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, BaseExceptionGroup):  # what a TaskGroup makes of it
        return next((found for each in error.exceptions if (found := refusal_in(each))), None)
    return None


def raise_refusal(error: BaseException | None) -> None:
    """Raise the error that was carried, if one was: here is our own boundary."""
    if (held := refusal_in(error)) is not None:
        raise held.error.with_traceback(held.__traceback__) from None
