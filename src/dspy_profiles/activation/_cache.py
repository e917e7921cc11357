"""Prepared profiles, kept for as long as what they were made from is unchanged."""

import contextlib
import os
import time
import warnings
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Any

from dspy_profiles._locks import ProcessLock
from dspy_profiles.activation._prepare import Mode, Prepared, prepare
from dspy_profiles.errors import InvalidFile, InvalidProfile, ProfileNotFound, ProfileWarning
from dspy_profiles.objects import content
from dspy_profiles.profiles import (
    NAME_VARIABLE,
    ResolvedProfile,
    Scene,
    check_name,
    choose,
    is_forced,
    override,
)

__all__ = ["CACHE", "ProfileCache"]

KEPT = 512  # names with their overrides; one that falls out is only prepared again
REREADS = 10  # an editor that writes in place empties the file first
REREAD_SECONDS = 0.005


class ProfileCache:
    """Prepared profiles by name and overrides.

    An entry is *fresh* while its watch sees no change, and then returned as it is. A *stale* one
    is prepared again. If that fails because a file or a value is broken, the entry stays as the
    *last good* one, with one warning per error.
    """

    def __init__(self) -> None:
        self._lock = ProcessLock()
        self._entries: OrderedDict[Hashable, Prepared] = OrderedDict()
        self._session: Prepared | None = None
        self._session_name: str | None = None  # the environment's when the session was pinned

    def get(
        self,
        name: str | ResolvedProfile | None,
        overrides: Mapping[str, Any],
        *,
        build: bool = True,
    ) -> Prepared:
        """Return the profile as its files are now. Fast while nothing has changed.

        A resolved profile stays as it was resolved; its secrets are those of this process.
        """
        if self._session is not None:
            found = self._of_session(self._session, name, overrides)
            if found is not None:
                return found
        key: Hashable = name
        if isinstance(name, ResolvedProfile):
            key = (name.name, content(name.values), content(overrides))
        elif overrides:
            key = (name, content(overrides))
        try:
            entry = self._entries.get(key)
        except TypeError:  # a list, or the like
            check_name(name)  # which refuses it
            raise
        if entry is not None and entry.watch.is_fresh() and (not build or entry.built is not None):
            return entry
        with self._lock:
            return self._renewed(key, name, overrides, build=build)

    def set_session(self, session: Prepared | None) -> None:
        """Set what a forced name, and no name at all, mean while a session is pinned."""
        if session is not None and self._session is None:
            self._session_name = os.environ.get(NAME_VARIABLE)
        self._session = session

    def clear(self) -> None:
        """Forget all entries."""
        self._entries.clear()

    def _of_session(
        self, session: Prepared, name: object, overrides: Mapping[str, Any]
    ) -> Prepared | None:
        """Return the session's profile, if that is the one that is meant."""
        if is_forced():
            return session
        if name is not None or os.environ.get(NAME_VARIABLE) != self._session_name:
            return None
        if not overrides:
            return session
        key: Hashable = (session.profile.name, id(session), content(overrides))
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry.above is not session:
                profile = override(session.profile, overrides)
                entry = Prepared(profile, is_default=False, watch=session.watch, above=session)
                self._keep(key, entry)
            if entry.built is None:
                entry.build()
            return entry

    def _renewed(
        self,
        key: Hashable,
        name: str | ResolvedProfile | None,
        overrides: Mapping[str, Any],
        *,
        build: bool,
    ) -> Prepared:
        entry = self._entries.get(key)
        if entry is None or not entry.watch.is_fresh():  # else another thread was faster
            mode: Mode = "build" if build else "read"
            try:
                entry = _prepared(name, overrides, mode, reread=entry is not None)
            except (InvalidFile, InvalidProfile) as error:
                if entry is None:
                    raise
                _keep_last_good(entry, error)
        if build and entry.built is None:
            entry.build()
        self._keep(key, entry)
        return entry

    def _keep(self, key: Hashable, entry: Prepared) -> None:
        self._entries[key] = entry
        self._entries.move_to_end(key)
        if len(self._entries) > KEPT:
            self._entries.popitem(last=False)


def _prepared(
    name: str | ResolvedProfile | None, overrides: Mapping[str, Any], mode: Mode, *, reread: bool
) -> Prepared:
    """Prepare a profile by name; one that was there a moment ago is looked for repeatedly."""
    for _ in range(REREADS if reread else 0):
        try:
            return _prepared(name, overrides, mode, reread=False)
        except ProfileNotFound:
            time.sleep(REREAD_SECONDS)
    scene = Scene.now()
    if not isinstance(name, ResolvedProfile):
        return prepare(scene, choose(scene, name), {} if is_forced() else overrides, mode)
    if is_forced():
        return prepare(scene, choose(scene, None), {}, mode)
    return prepare(scene, name, overrides, mode)


def _keep_last_good(last: Prepared, error: InvalidFile | InvalidProfile) -> None:
    """Let a server go on while somebody edits its profiles. Warn once for each error."""
    if last.reported != str(error):
        last.reported = str(error)
        warnings.warn(
            f'profile "{last.profile.name}" stays as it was, because it cannot be read again: '
            f"{error}",
            ProfileWarning,
            stacklevel=5,
        )
    with contextlib.suppress(InvalidFile):
        last.watch.hold()


CACHE = ProfileCache()
