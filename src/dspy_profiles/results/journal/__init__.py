"""Journals: append-only files, the source of truth."""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.results.journal._archive import long_texts_in as long_texts_in
    from dspy_profiles.results.journal._base import JournalStorage as JournalStorage
    from dspy_profiles.results.journal._base import held as held
    from dspy_profiles.results.journal._read import Line as Line
    from dspy_profiles.results.journal._read import whole as whole
    from dspy_profiles.results.journal._reader import JournalReader as JournalReader
    from dspy_profiles.results.journal._usage import Spent as Spent
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "_archive": "long_texts_in",
            "_base": "JournalStorage held",
            "_read": "Line whole",
            "_reader": "JournalReader",
            "_usage": "Spent",
        },
    )
