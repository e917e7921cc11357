"""Cassettes: files of recorded responses, replayed instead of calling a model."""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.calls.cassettes._cassette import Cassette as Cassette
    from dspy_profiles.calls.cassettes._cassette import Filter as Filter
    from dspy_profiles.calls.cassettes._file import Entry as Entry
    from dspy_profiles.calls.cassettes._last_run import LastRun as LastRun
    from dspy_profiles.calls.cassettes._last_run import NotAsked as NotAsked
    from dspy_profiles.calls.cassettes._last_run import read_last_run as read_last_run
    from dspy_profiles.calls.cassettes._last_run import write_last_run as write_last_run
    from dspy_profiles.calls.cassettes._leak_scan import Finding as Finding
    from dspy_profiles.calls.cassettes._leak_scan import looks as looks
    from dspy_profiles.calls.cassettes._leak_scan import scan as scan
    from dspy_profiles.calls.cassettes._listing import Description as Description
    from dspy_profiles.calls.cassettes._listing import describe as describe
    from dspy_profiles.calls.cassettes._listing import prune as prune
    from dspy_profiles.calls.cassettes._modes import MODES as MODES
    from dspy_profiles.calls.cassettes._modes import Mode as Mode
    from dspy_profiles.calls.cassettes._modes import checked_mode as checked_mode
    from dspy_profiles.calls.cassettes._player import Player as Player
    from dspy_profiles.calls.cassettes._player import stages_for as stages_for
    from dspy_profiles.calls.cassettes._requests import MATCH as MATCH
    from dspy_profiles.calls.cassettes._requests import checked_match as checked_match
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "_cassette": "Cassette Filter",
            "_file": "Entry",
            "_last_run": "LastRun NotAsked read_last_run write_last_run",
            "_leak_scan": "Finding looks scan",
            "_listing": "Description describe prune",
            "_modes": "MODES Mode checked_mode",
            "_player": "Player stages_for",
            "_requests": "MATCH checked_match",
        },
    )
