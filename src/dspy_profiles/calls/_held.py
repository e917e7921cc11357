"""Errors of ours on their way past DSPy's error handling."""

from dspy_profiles.errors import ProfileError

__all__ = ["BrokenOff", "Refused", "raise_refusal", "refusal_in"]


class Refused(BaseException):
    """Carries an error to the end of a block, a test or a program, where it is raised.

    DSPy turns every `Exception` of an LM into a failed example, a retry or a None.
    """

    def __init__(self, error: ProfileError) -> None:
        super().__init__(error)
        self.error = error
        # Shown only if no block ends on its way, as after `configure`.
        self.add_note(
            f"  to catch this as {type(error).__name__}, open a block around the call: "
            "with profile(…)"
        )

    def __str__(self) -> str:
        return str(self.error)


class BrokenOff(EOFError):
    """A stream ended without its end event. Stages receive it; it is never raised."""

    def __init__(self) -> None:
        super().__init__("the stream ended without an end event")


def refusal_in(error: BaseException | None) -> Refused | None:
    """Return the refusal that this error is or, as a group of errors, contains."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, BaseExceptionGroup):  # as a TaskGroup raises it
        refusals = map(refusal_in, error.exceptions)
        return next((refusal for refusal in refusals if refusal is not None), None)
    return None


def raise_refusal(error: BaseException | None) -> None:
    """Raise the error that a refusal carries, if this is one."""
    if (refusal := refusal_in(error)) is not None:
        raise refusal.error.with_traceback(refusal.__traceback__) from None
