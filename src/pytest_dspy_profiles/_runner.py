"""Tests and fixtures, each under its own profile, with its own scope for what it calls."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from dspy_profiles.activation import Configuration, Isolation, Prepared
from dspy_profiles.calls import Usage
from dspy_profiles.errors import MissingSecret, ProfileError
from dspy_profiles.profiles import OVERRIDE_LAYER, is_offline
from pytest_dspy_profiles._cassettes import TestCassettes
from pytest_dspy_profiles._config import SessionConfig
from pytest_dspy_profiles._marks import limits_of
from pytest_dspy_profiles._options import FORCE
from pytest_dspy_profiles._pins import ActiveProfile
from pytest_dspy_profiles._refusals import QUIET, raise_refusals
from pytest_dspy_profiles._scopes import Scope, Scopes
from pytest_dspy_profiles._select import FIXTURE, ProfileChoice, chosen, parameter_of

__all__ = ["Running", "Test"]

HearFor = Callable[[str | None], None]
InForce = tuple[Prepared | None, Scope | None]


@dataclass(eq=False)
class Test:
    """The test that is under way."""

    __test__ = False

    item: Any
    ready: Prepared | None
    scope: Scope
    isolation: Isolation | None

    @property
    def usage(self) -> Usage:
        return self.scope.usage


@dataclass(eq=False)
class Teardown:
    """The end of a wider fixture: under what it runs, and what is in force around it."""

    ready: Prepared | None
    scope: Scope
    around: InForce | None = None
    before: Configuration | None = None


class Running:
    """Where tests are run: in the one process, or in each worker of xdist."""

    def __init__(
        self,
        asked: SessionConfig,
        scopes: Scopes,
        tapes: TestCassettes,
        hear_for: HearFor | None = None,
    ) -> None:
        self.asked = asked
        self._hear_for = hear_for
        self.scopes = scopes
        self.tapes = tapes
        self.stand = ActiveProfile(asked)
        self.test: Test | None = None
        self._fixture: Any = None  # the definition of the fixture dspy_profile
        self._now: InForce = (None, None)
        self._ends = False  # whether the test is being torn down

    def start(self) -> None:
        """The session's profile is in force from the collection on, if it can be built."""
        names = self.asked.named.names
        scope = self.scopes.open("the collection", names[0] if names else "")
        ready = None
        if len(names) == 1:
            with contextlib.suppress(MissingSecret):  # told by each test that needs it
                ready = self.stand.ready(
                    ProfileChoice(names, self.asked.named.by, self.asked.overrides)
                )
        self._under(ready, scope)

    def leave(self) -> None:
        """Put back what was before the session."""
        self.stand.leave()
        if self.scopes.tally is not None:
            self.scopes.tally.close()

    def begin(self, item: pytest.Item, trial: str | None = None) -> None:
        """Known before anything of the test runs: its profile, and whether that can be built."""
        self.test, self._ends = None, False
        found = chosen(item, self.asked, parameter_of(item))
        try:
            ready = self.stand.ready(found)
        except MissingSecret as missing:
            if self.asked.skips_missing:
                # Told with the test's own place, not with this one.
                raise pytest.skip.Exception(missing.message, _use_item_location=True) from None
            if (
                missing.where in (None, OVERRIDE_LAYER) and found.place is not None
            ):  # the mark's own
                raise MissingSecret(missing.message, missing.hint, found.place) from None
            raise
        name = found.names[0] if found.names else ""
        profile = None if ready is None else ready.profile
        is_held = self.asked.is_held and profile is not None and is_offline(profile)
        scope = self.scopes.open(
            item.nodeid,
            name,
            limits_of(item),
            blocked_by=FORCE.flag if is_held else None,
            cassette=self.tapes.for_test(item, profile),
        )
        scope.trial = trial
        self._under(ready, scope)
        isolation = Isolation() if ready is not None and self.asked.isolates else None
        self.test = Test(item, ready, scope, isolation)

    @contextmanager
    def calling(self, item: Any) -> Iterator[None]:
        """The body of the test. What was held back in it fails it, whoever has caught that."""
        if self.test is None:
            yield
            return
        test = self.test
        self._under(test.ready, test.scope)
        if FIXTURE in getattr(item, "funcargs", {}):
            item.funcargs[FIXTURE] = self.stand.active()
        try:
            with self.stand.laid(test.scope), raise_refusals(test.scope):
                yield
        except ProfileError:
            # unittest keeps aside what a test raised, a skip as well, and pytest would tell that.
            kept = getattr(item, "_excinfo", None) or []
            kept[:] = [excinfo for excinfo in kept if not isinstance(excinfo.value, QUIET)]
            raise

    @contextmanager
    def tearing_down(self) -> Iterator[None]:
        """Its fixtures, and those that end with it; then what it changed is put back."""
        test = self.test
        if test is None:
            yield
            return
        self._under(test.ready, test.scope)
        self._ends = True
        try:
            with raise_refusals(test.scope):
                yield
        finally:
            self._isolate()

    def finish(self, *, failed: bool) -> Test | None:
        """The test is over, with all that ended with it."""
        if self.test is not None:
            self.tapes.end(self.test.scope.cassette, failed=failed)
        return self.test

    @contextmanager
    def setting_up(self, fixture: Any, request: Any) -> Iterator[None]:
        """A fixture, under the profile of its own scope."""
        test = self.test
        if fixture.argname == FIXTURE:
            self._fixture = fixture
        if test is None or fixture.argname == FIXTURE:
            yield
        elif fixture.scope == "function":
            self._under(test.ready, test.scope)
            with self.stand.laid(test.scope, only_over_others=True), raise_refusals(test.scope):
                yield
        else:
            with self._wider(test, fixture, request):
                yield

    @contextmanager
    def _wider(self, test: Test, fixture: Any, request: Any) -> Iterator[None]:
        found = chosen(request.node, self.asked, self._parameter(test.item, fixture))
        ready, trouble = None, None
        try:
            ready = self.stand.ready(found)
        except ProfileError as error:
            trouble = error  # many fixtures have nothing to do with a model
        name = found.names[0] if found.names else ""
        cassette = self.tapes.for_fixture(
            request.node, fixture, None if ready is None else ready.profile
        )
        scope = self.scopes.open(
            f"the {fixture.scope} fixture {fixture.argname}", name, cassette=cassette
        )
        around, teardown = self._now, Teardown(ready, scope)
        before = self._configuration()
        fixture.addfinalizer(partial(self._after_teardown, teardown))  # the first is called last
        self._under(ready, scope)
        try:
            with self.stand.laid(scope, only_over_others=True), raise_refusals(scope):
                yield
        except Exception as error:
            if trouble is not None:
                error.add_note(f"the profile of this fixture is not in effect: {trouble}")
            raise
        finally:
            self._keep(before)
            fixture.addfinalizer(partial(self._before_teardown, teardown))
            self._under(*around)

    def _before_teardown(self, teardown: "Teardown") -> None:
        if self._ends:  # else it makes way for another one, for the sake of the next test
            self._isolate()
        teardown.around, teardown.before = self._now, self._configuration()
        self._under(teardown.ready, teardown.scope)

    def _after_teardown(self, teardown: "Teardown") -> None:
        self.tapes.end(teardown.scope.cassette, failed=False)
        if teardown.around is not None:
            self._keep(teardown.before)
            self._under(*teardown.around)

    def _configuration(self) -> Configuration | None:
        isolates = self.test is not None and self.test.isolation is not None
        return Configuration() if isolates else None

    def _keep(self, before: Configuration | None) -> None:
        """What a wider fixture has changed since is no business of the test."""
        if before is not None and self.test is not None and self.test.isolation is not None:
            self.test.isolation.keep(before)

    def _isolate(self) -> None:
        if self.test is not None and self.test.isolation is not None:
            self.test.isolation.end(keep=self.stand.pin)
            self.test.isolation = None

    def _under(self, ready: Prepared | None, scope: Scope | None) -> None:
        self._now = (ready, scope)
        self.stand.switch(ready, scope)
        if self._hear_for is not None:
            self._hear_for(None if scope is None else scope.trial)
        if self._fixture is not None and self._fixture.cached_result is not None:
            _, key, error = self._fixture.cached_result
            if error is None:  # one fixture serves all scopes, and says what is active in each
                self._fixture.cached_result = (self.stand.active(), key, None)

    @staticmethod
    def _parameter(item: Any, fixture: Any) -> str | None:
        """The profile of the matrix, for a fixture that is made anew for each."""
        value = parameter_of(item)
        if value is None:
            return None
        definitions = item._fixtureinfo.name2fixturedefs  # noqa: SLF001 - who needs whom
        wanted, seen = list(fixture.argnames), set[str]()
        while wanted:
            name = wanted.pop()
            if name == FIXTURE:
                return value
            if name not in seen:
                seen.add(name)
                wanted += [arg for each in definitions.get(name, ()) for arg in each.argnames]
        return None
