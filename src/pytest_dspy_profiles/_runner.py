"""Run each test and each fixture under its own profile, with its own count of calls."""

import contextlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import pytest

from dspy_profiles.activation import Configuration, Isolation, Prepared
from dspy_profiles.calls import Usage
from dspy_profiles.errors import MissingSecret, ProfileError
from dspy_profiles.profiles import OVERRIDE_LAYER, is_offline
from pytest_dspy_profiles._cassettes import TestCassettes
from pytest_dspy_profiles._config import SessionConfig
from pytest_dspy_profiles._failures import QUIET, raise_refusals
from pytest_dspy_profiles._marks import limits_of
from pytest_dspy_profiles._options import FORCE
from pytest_dspy_profiles._pins import ActiveProfile
from pytest_dspy_profiles._record import TrialRecorder
from pytest_dspy_profiles._scopes import Scope, Scopes
from pytest_dspy_profiles._select import (
    FIXTURE,
    ProfileChoice,
    parameter_of_fixture,
    select,
)

__all__ = ["Runner", "Test"]

InForce = tuple[Prepared | None, Scope | None]


@dataclass(eq=False)
class Test:
    """The test that is running, and what is undone at its end."""

    __test__ = False

    item: pytest.Item
    prepared: Prepared | None
    scope: Scope
    stack: ExitStack = field(default_factory=ExitStack)
    isolation: Isolation | None = None
    failed: bool = True  # until its reports show that it passed

    @property
    def usage(self) -> Usage:
        return self.scope.usage


class Runner:
    """Runs tests: in the only process, or in each worker of xdist.

    Whatever a scope (session, wider fixture, test) changes is undone by closing its stack.
    """

    def __init__(
        self,
        session_config: SessionConfig,
        scopes: Scopes,
        cassettes: TestCassettes,
        recorder: TrialRecorder | None = None,
    ) -> None:
        self.scopes = scopes
        self.cassettes = cassettes
        self.profiles = ActiveProfile(session_config)
        self.test: Test | None = None
        self._config = session_config
        self._recorder = recorder
        self._stack = ExitStack()
        self._in_force: InForce = (None, None)
        self._is_tearing_down = False

    def __enter__(self) -> Self:
        """Make the session's profile active from the collection on, if it can be built."""
        with ExitStack() as stack:
            if self.scopes.tally is not None:
                stack.callback(self.scopes.tally.close)
            stack.enter_context(self.profiles.session())
            names = self._config.named.names
            scope = self.scopes.open("the collection", names[0] if names else "")
            prepared = None
            if len(names) == 1:
                with contextlib.suppress(MissingSecret):  # each test that needs it reports it
                    prepared = self.profiles.prepared(
                        ProfileChoice(names, self._config.named.by, self._config.overrides)
                    )
            stack.enter_context(self._under(prepared, scope))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self.finish()  # an interrupted test has not been torn down
        self._stack.close()

    def begin(self, item: pytest.Item, choice: ProfileChoice, trial: str | None = None) -> None:
        """Enter the scope of a test, before anything of it runs."""
        self.finish()
        self._is_tearing_down = False
        prepared = self._prepared_for_test(choice)
        profile = None if prepared is None else prepared.profile
        is_held = self._config.is_held and profile is not None and is_offline(profile)
        scope = self.scopes.open(
            item.nodeid,
            choice.name,
            limits_of(item),
            blocked_by=FORCE.flag if is_held else None,
            cassette=self.cassettes.for_test(item, profile),
        )
        scope.trial = trial
        test = Test(item, prepared, scope)
        with ExitStack() as stack:
            stack.callback(self._end_cassette, test)
            stack.enter_context(self._under(prepared, scope))
            if prepared is not None and self._config.isolates:
                test.isolation = Isolation()
                stack.callback(self._end_isolation, test)
            test.stack = stack.pop_all()
        self.test = test

    def _prepared_for_test(self, choice: ProfileChoice) -> Prepared | None:
        try:
            return self.profiles.prepared(choice)
        except MissingSecret as missing:
            if self._config.skips_missing:
                # Private, as pytest.skip() has no way to report the place of the test, not ours.
                raise pytest.skip.Exception(missing.message, _use_item_location=True) from None
            # The mark's own override: report the place of the mark.
            if missing.where in (None, OVERRIDE_LAYER) and choice.place is not None:
                raise MissingSecret(missing.message, missing.hint, choice.place) from None
            raise

    @contextmanager
    def calling(self, item: Any) -> Iterator[None]:
        """Run the body of the test; a refused call fails it, even if its code caught the error."""
        test = self.test
        if test is None:
            yield
            return
        if FIXTURE in getattr(item, "funcargs", {}):
            item.funcargs[FIXTURE] = self.profiles.active()  # a test gets the profile itself
        try:
            with self.profiles.stages(test.scope), raise_refusals(test.scope):
                yield
        except ProfileError:
            # Private: pytest keeps what a unittest case raised, a skip included, in `_excinfo`, and
            # would report that instead.
            kept = getattr(item, "_excinfo", None) or []
            kept[:] = [excinfo for excinfo in kept if not isinstance(excinfo.value, QUIET)]
            raise

    @contextmanager
    def tearing_down(self) -> Iterator[None]:
        """Tear down the fixtures of the test, and those that end with it."""
        test = self.test
        if test is None:
            yield
            return
        self._is_tearing_down = True
        try:
            with raise_refusals(test.scope):
                yield
        finally:
            self._end_isolation(test)

    def finish(self, *, failed: bool = True) -> Usage | None:
        """Leave the scope of the test, if any, and return its usage."""
        test, self.test = self.test, None
        if test is None:
            return None
        test.failed = failed
        test.stack.close()
        return test.usage

    @contextmanager
    def setting_up(self, fixture: Any, request: Any) -> Iterator[None]:
        """Set up a fixture under the profile of its own scope."""
        test = self.test
        if test is None or fixture.argname == FIXTURE:
            yield
        elif fixture.scope == "function":
            with (
                self.profiles.stages(test.scope, only_over_others=True),
                raise_refusals(test.scope),
            ):
                yield
        else:
            with self._wider(test.item, fixture, request):
                yield

    @contextmanager
    def _wider(self, item: pytest.Item, fixture: Any, request: Any) -> Iterator[None]:
        """Enter the scope of a fixture that outlives the test; its last finalizer leaves it."""
        choice = select(request.node, self._config, parameter_of_fixture(item, fixture))
        prepared, trouble = None, None
        try:
            prepared = self.profiles.prepared(choice)
        except ProfileError as error:
            trouble = error  # many fixtures never call a model
        profile = None if prepared is None else prepared.profile
        cassette = self.cassettes.for_fixture(request.node, fixture, profile)
        name = f"the {fixture.scope} fixture {fixture.argname}"
        scope = self.scopes.open(name, choice.name, cassette=cassette)
        stack = ExitStack()
        stack.callback(self.cassettes.end, cassette, failed=False)
        request.addfinalizer(stack.close)  # finalizers run in reverse order: this one is the last
        try:
            with (
                self._apart(prepared, scope),
                self.profiles.stages(scope, only_over_others=True),
                raise_refusals(scope),
            ):
                yield
        except Exception as error:
            if trouble is not None:
                error.add_note(f"the profile of this fixture is not active: {trouble}")
            raise
        finally:
            # The first one, which leaves the scope open for the fixture's own finalizers.
            request.addfinalizer(lambda: stack.enter_context(self._tearing_down(prepared, scope)))

    @contextmanager
    def _tearing_down(self, prepared: Prepared | None, scope: Scope) -> Iterator[None]:
        # While a test is set up, a fixture may end to be made again for the next parameter.
        if self._is_tearing_down and self.test is not None:
            self._end_isolation(self.test)
        with self._apart(prepared, scope):
            yield

    @contextmanager
    def _apart(self, prepared: Prepared | None, scope: Scope) -> Iterator[None]:
        """Run something of a wider fixture: what it configures outlives the test."""
        isolation = None if self.test is None else self.test.isolation
        before = None if isolation is None else Configuration()
        with self._under(prepared, scope):
            try:
                yield
            finally:
                if before is not None and self.test is not None and self.test.isolation is not None:
                    self.test.isolation.keep(before)

    @contextmanager
    def _under(self, prepared: Prepared | None, scope: Scope) -> Iterator[None]:
        """Make a profile active, and let calls belong to a scope."""
        around = self._in_force
        self._switch(prepared, scope)
        try:
            yield
        finally:
            self._switch(*around)

    def _switch(self, prepared: Prepared | None, scope: Scope | None) -> None:
        self._in_force = (prepared, scope)
        self.profiles.switch(prepared, scope)
        if self._recorder is not None:
            self._recorder.attribute_to(None if scope is None else scope.trial)

    def _end_isolation(self, test: Test) -> None:
        if test.isolation is not None:
            test.isolation.end(keep=self.profiles.pin)
            test.isolation = None

    def _end_cassette(self, test: Test) -> None:
        self.cassettes.end(test.scope.cassette, failed=test.failed)
