"""How a test ended, and why: outcomes, refused calls, and short reports without secrets."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import SkipTest

import pytest

from dspy_profiles.calls import is_own, refusal_in
from dspy_profiles.display import visible
from dspy_profiles.errors import ProfileError
from dspy_profiles.secrets import redact_shortened

if TYPE_CHECKING:
    from pytest_dspy_profiles._scopes import Scope

__all__ = ["QUIET", "STATUS", "explain", "hide_secrets", "outcome_after", "raise_refusals"]

# What ends a test without failing it.
QUIET = (pytest.skip.Exception, pytest.xfail.Exception, SkipTest)
# Statuses of the results. A test that is expected to fail, and does, has done its job.
STATUS = {
    "passed": "done",
    "xfailed": "done",
    "failed": "failed",
    "error": "failed",
    "skipped": "skipped",
}

# By the names of classes, ours and DSPy's: so a test without DSPy is reported without DSPy.
KINDS = {
    "MissingSecret": "no key",
    "LMNotConfiguredError": "no key",
    "LMAuthError": "key refused",
    "LMBillingError": "not paid for",
    "LMRateLimitError": "rate limit",
    "LMUnsupportedModelError": "wrong model",
    "LMTransportError": "provider down",
    "LMTimeoutError": "provider down",
    "LMServerError": "provider down",
    "ContextWindowExceededError": "prompt too long",
    "LMInvalidRequestError": "bad request",
    "BudgetExceeded": "budget",
    "LiveCallBlocked": "blocked live call",
    "CassetteMiss": "not recorded",
}
HINTS = {
    "key refused": "check that the key is the right one and still valid",
    "not paid for": "add credit to the account of the key",
    "rate limit": "use fewer workers or a mock: the provider limits calls",
    "wrong model": "the provider does not know the model: check lm.model of the profile",
    "prompt too long": "use a shorter input, fewer demos or a larger model",
    "bad request": "the provider rejected the request: check the lm settings of the profile",
    "provider down": "check that the provider is up, and its address; the test may be fine",
    "no LM": 'mark the test @pytest.mark.dspy_profile("mock"), or run pytest --dspy-profile NAME',
}
# Servers in front of many models report an unknown model as an invalid request.
NO_SUCH_MODEL = ("invalid model", "model not found", "does not exist", "no such model")


def outcome_after(before: str, report: Any) -> str:
    """Return the outcome of a test after one more phase. A rerun starts again."""
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


@contextmanager
def raise_refusals(scope: "Scope") -> Iterator[None]:
    """Fail a block in which a call was refused, even if its code caught the error."""
    try:
        yield
    except QUIET:
        _raise_unreported(scope)
        raise
    except BaseException as error:
        unreported = _unreported(scope)
        refused = refusal_in(error)
        if refused is None:
            if unreported is not None:
                error.add_note(f"a call was blocked before this: {unreported}")
            raise
        raise refused.error.with_traceback(refused.__traceback__) from None
    _raise_unreported(scope)


def _unreported(scope: "Scope") -> ProfileError | None:
    """Return the first refusal, once per scope.

    Examples that Evaluate has queued are refused while the test that failed of the first ends.
    """
    if scope.is_reported or not scope.meter.errors:
        return None
    scope.is_reported = True
    return scope.meter.errors[0]


def _raise_unreported(scope: "Scope") -> None:
    error = _unreported(scope)
    if error is not None:
        raise error.with_traceback(None)


def explain(report: Any, call: Any, profile: str | None) -> None:
    """Name the kind of failure in a failed report, and redact secrets in every report."""
    if report.failed and call.excinfo is not None:
        examples = _failed_examples(call.excinfo.value)
        raised = [each.exc_info[1] for each in examples if hasattr(each, "exc_info")]
        for error in map(_own_error, raised or [call.excinfo.value]):
            kind = _kind_of(error)
            if kind is not None:
                report.longrepr = _short(error, kind, profile)
                for example in examples:
                    report.longrepr.addsection("doctest", visible(_example_text(example)))
                break
    hide_secrets(report)


def _own_error(error: BaseException) -> BaseException:
    """Return the error of ours that this one carries past DSPy, or the error itself."""
    refused = refusal_in(error)
    if refused is None:
        return error
    # A subtest, or a doctest, has caught it on its way: it has not been raised yet.
    return refused.error.with_traceback(refused.error.__traceback__ or refused.__traceback__)


def _failed_examples(error: BaseException) -> list[Any]:
    """Return doctest's own error for each example of a doctest that has failed."""
    failures = getattr(error, "failures", None)
    errors = failures if isinstance(failures, list) else [error]
    return [failure for failure in errors if hasattr(failure, "example")]


def _example_text(failure: Any) -> str:
    """Return an example of a doctest with its place and its result."""
    test, example = failure.test, failure.example
    line = "" if test.lineno is None else f":{test.lineno + example.lineno + 1}"
    source = example.source.rstrip().replace("\n", "\n... ")
    if hasattr(failure, "exc_info"):
        error = _own_error(failure.exc_info[1])
        result = f"{type(error).__name__}: {error}".partition("\n")[0]
    else:
        result = f"expected {example.want.rstrip()}, got {failure.got.rstrip()}"
    return f"{test.filename}{line}: in {test.name}\n>>> {source}\n{result}"


def _kind_of(error: BaseException) -> str | None:
    """Return the kind of a failure between a program and its LM; None for any other error."""
    for cause in _chain(error):
        names = [cls.__name__ for cls in type(cause).__mro__]
        if "LMInvalidRequestError" in names and _is_unknown_model(cause):
            return "wrong model"
        kind = next((KINDS[name] for name in names if name in KINDS), None)
        if kind is not None:
            return kind
        if isinstance(cause, ValueError) and "No LM is loaded" in str(cause):
            return "no LM"
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, but not its context."""
    here: BaseException | None = error
    while here is not None:
        yield here
        here = here.__cause__


def _is_unknown_model(error: BaseException) -> bool:
    text = str(error).lower()
    return any(words in text for words in NO_SUCH_MODEL)


def _short(error: BaseException, kind: str, profile: str | None) -> Any:
    """Return a report of the user's own lines and a hint; DSPy's frames explain nothing."""
    excinfo = pytest.ExceptionInfo.from_exception(error)
    own = excinfo.traceback.filter(lambda entry: is_own(str(entry.path)))
    if own:
        excinfo.traceback = own
    shown = excinfo.getrepr(style="short" if own else "value", chain=False)
    first = error.message if isinstance(error, ProfileError) else str(error)
    if shown.reprcrash is not None:
        shown.reprcrash.message = f"dspy: {kind}: {first.partition(chr(10))[0]}"
    if not isinstance(error, ProfileError):  # ours have a hint
        under = f'profile "{profile}": ' if profile else ""
        shown.addsection(f"dspy: {kind}", f"{under}{_hint(error, kind)}")
    return _changed(shown, visible)


def _hint(error: BaseException, kind: str) -> str:
    if kind == "no key":
        names = " or ".join(getattr(error, "env_keys", None) or ())
        return f"set {names}, or add api_key to the profile" if names else str(error)
    wait = getattr(error, "retry_after", None)
    if isinstance(wait, int | float) and wait > 0:
        return f"{HINTS[kind]} (the provider asks for a pause of {wait:g} s)"
    return HINTS[kind]


def hide_secrets(report: Any) -> None:
    """Redact every resolved secret in what pytest shows and writes of a report."""
    if report.longrepr is not None and redact_shortened(text := str(report.longrepr)) != text:
        report.longrepr = _changed(report.longrepr, redact_shortened)
        if redact_shortened(left := str(report.longrepr)) != left:
            report.longrepr = redact_shortened(left)
    for name in ("sections", "user_properties", "wasxfail"):
        if value := getattr(report, name, None):
            setattr(report, name, _changed(value, redact_shortened))


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    """Return a value with every string in it changed; parts that pytest shows are changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list | tuple):
        return type(value)(_changed(each, change) for each in value)
    if hasattr(value, "toterminal"):
        vars(value).update({name: _changed(each, change) for name, each in vars(value).items()})
    return value
