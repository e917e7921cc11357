"""Journals: append-only files that everything else is made from."""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.results.journal._archive import long_texts_in as long_texts_in
    from dspy_profiles.results.journal._archive import seal_of as seal_of
    from dspy_profiles.results.journal._base import JournalStorage as JournalStorage
    from dspy_profiles.results.journal._base import held as held
    from dspy_profiles.results.journal._read import Line as Line
    from dspy_profiles.results.journal._read import Spans as Spans
    from dspy_profiles.results.journal._read import lines_of as lines_of
    from dspy_profiles.results.journal._read import whole as whole
    from dspy_profiles.results.journal._usage import Spent as Spent
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "_archive": "long_texts_in seal_of",
            "_base": "JournalStorage held",
            "_read": "Line Spans lines_of whole",
            "_usage": "Spent",
        },
    )
