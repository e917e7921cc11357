"""What was held back in a test fails it, whoever has caught that."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import SkipTest

import pytest

from dspy_profiles.calls import refusal_in
from dspy_profiles.errors import ProfileError
from pytest_dspy_profiles._scopes import Scope

__all__ = ["QUIET", "raise_refusals"]

# What ends a test without failing it.
QUIET = (pytest.skip.Exception, pytest.xfail.Exception, SkipTest)


@contextmanager
def raise_refusals(scope: Scope) -> Iterator[None]:
    """Make an ordinary error of what was held back in here, also where the code has caught it."""
    try:
        yield
    except QUIET:
        _refuse_silence(scope)
        raise
    except BaseException as error:
        silent = _silent(scope)
        held = refusal_in(error)
        if held is None:
            if silent is not None:
                error.add_note(f"held back meanwhile: {silent}")
            raise
        raise held.error.with_traceback(held.__traceback__) from None
    _refuse_silence(scope)


def _silent(scope: Scope) -> ProfileError | None:
    """What was held back and never told: once is enough.

    Examples that Evaluate has queued are refused while the test that failed of the first ends.
    """
    if scope.is_told or not scope.meter.errors:
        return None
    scope.is_told = True
    return scope.meter.errors[0]


def _refuse_silence(scope: Scope) -> None:
    error = _silent(scope)
    if error is not None:
        raise error.with_traceback(None)
