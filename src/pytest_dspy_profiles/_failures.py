"""What kind of failure an LM's error is, said in the report; and the report kept short."""

from collections.abc import Iterator
from typing import Any

import pytest

from dspy_profiles.calls import is_own, refusal_in
from dspy_profiles.errors import ProfileError
from dspy_profiles.secrets import redact, redact_shortened

__all__ = ["hide_secrets", "tell"]

# By the names of classes, ours and DSPy's: a report of a test without DSPy does not import it.
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
    "key refused": "the provider does not take it: is it the right one, and still valid?",
    "not paid for": "the account behind the key has no credit left",
    "rate limit": "fewer workers, a pause, or a mock: the provider wants fewer calls",
    "wrong model": "the provider has no such model: look at lm.model of the profile",
    "prompt too long": "the model takes less: a shorter input, fewer demos, or a larger model",
    "bad request": "the provider does not take it: look at the settings of lm in the profile",
    "provider down": "is it up, and is the address right? nothing is wrong with the test so far",
    "no LM": 'mark the test @pytest.mark.dspy_profile("mock"), or give it --dspy-profile NAME',
}
# A server in front of many models calls it an invalid request.
NO_SUCH_MODEL = ("invalid model", "model not found", "does not exist", "no such model")


def tell(report: Any, call: Any, profile: str | None) -> None:
    """Name the kind of failure in a failed report, and let no secret out with any report."""
    if report.failed and call.excinfo is not None:
        examples = _failed_examples(call.excinfo.value)
        raised = [each.exc_info[1] for each in examples if hasattr(each, "exc_info")]
        for error in map(_let_go, raised or [call.excinfo.value]):
            kind = _kind_of(error)
            if kind is not None:
                report.longrepr = _short(error, kind, profile)
                for example in examples:
                    report.longrepr.addsection("doctest", _example_text(example))
                break
    hide_secrets(report)


def _let_go(error: BaseException) -> BaseException:
    """The error of ours that this one carries past DSPy, or the error itself."""
    held = refusal_in(error)
    if held is None:
        return error
    # A subtest, or a doctest, has caught it on its way: it has not been raised yet.
    return held.error.with_traceback(held.error.__traceback__ or held.__traceback__)


def _failed_examples(error: BaseException) -> list[Any]:
    """Those of a doctest, if one has failed: doctest's own error for each."""
    failures = getattr(error, "failures", None)
    each = failures if isinstance(failures, list) else [error]
    return [failure for failure in each if hasattr(failure, "example")]


def _example_text(failure: Any) -> str:
    """Where an example of a doctest stands, and what came of it."""
    test, example = failure.test, failure.example
    line = "" if test.lineno is None else f":{test.lineno + example.lineno + 1}"
    source = example.source.rstrip().replace("\n", "\n... ")
    if hasattr(failure, "exc_info"):
        error = _let_go(failure.exc_info[1])
        said = f"{type(error).__name__}: {error}".partition("\n")[0]
    else:
        said = f"expected {example.want.rstrip()}, got {failure.got.rstrip()}"
    return f"{test.filename}{line}: in {test.name}\n>>> {source}\n{said}"


def _kind_of(error: BaseException) -> str | None:
    """One word for what went wrong between a program and its LM, if that is what went wrong."""
    for each in _chain(error):
        names = [cls.__name__ for cls in type(each).__mro__]
        if "LMInvalidRequestError" in names and _has_no_such_model(each):
            return "wrong model"
        found = next((KINDS[name] for name in names if name in KINDS), None)
        if found is not None:
            return found
        if isinstance(each, ValueError) and "No LM is loaded" in str(each):
            return "no LM"
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from; not what it merely came after."""
    here: BaseException | None = error
    while here is not None:
        yield here
        here = here.__cause__


def _has_no_such_model(error: BaseException) -> bool:
    said = str(error).lower()
    return any(words in said for words in NO_SUCH_MODEL)


def _short(error: BaseException, kind: str, profile: str | None) -> Any:
    """The user's own lines and what to do; the way through DSPy explains nothing."""
    excinfo = pytest.ExceptionInfo.from_exception(error)
    own = excinfo.traceback.filter(lambda entry: is_own(str(entry.path)))
    if own:
        excinfo.traceback = own
    shown = excinfo.getrepr(style="short" if own else "value", chain=False)
    first = error.message if isinstance(error, ProfileError) else str(error)
    if shown.reprcrash is not None:
        shown.reprcrash.message = redact(f"dspy: {kind}: {first.partition(chr(10))[0]}")
    if not isinstance(error, ProfileError):  # ours say themselves what to do
        under = f'profile "{profile}": ' if profile else ""
        shown.addsection(f"dspy: {kind}", f"{under}{_hint(error, kind)}")
    return shown


def _hint(error: BaseException, kind: str) -> str:
    if kind == "no key":
        names = " or ".join(getattr(error, "env_keys", None) or ())
        return f"set {names}, or give the profile an api_key" if names else str(error)
    wait = getattr(error, "retry_after", None)
    asked = (
        f" (it asks for a pause of {wait:g} s)"
        if isinstance(wait, int | float) and wait > 0
        else ""
    )
    return HINTS[kind] + asked


def hide_secrets(report: Any) -> None:
    """Replace every secret that was resolved, in all that pytest shows and writes of a report."""
    if report.longrepr is not None and redact_shortened(text := str(report.longrepr)) != text:
        report.longrepr = _redacted(report.longrepr)
        if redact_shortened(left := str(report.longrepr)) != left:
            report.longrepr = redact_shortened(left)
    for name in ("sections", "user_properties", "wasxfail"):
        if value := getattr(report, name, None):
            setattr(report, name, _redacted(value))


def _redacted(value: Any) -> Any:
    """The same with every text in it redacted; the pieces that pytest shows, in place."""
    if isinstance(value, str):
        return redact_shortened(value)
    if isinstance(value, list | tuple):
        return type(value)(_redacted(each) for each in value)
    if hasattr(value, "toterminal"):
        vars(value).update({name: _redacted(each) for name, each in vars(value).items()})
    return value
