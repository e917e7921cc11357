"""Where experiments are kept, behind one protocol."""

from dspy_profiles.results.store.opening import open_store
from dspy_profiles.results.store.protocol import Store

__all__ = ["Store", "open_store"]
