"""The error for an experiment that is not there."""

from dspy_profiles.errors import StoreError

__all__ = ["ExperimentNotFound"]


class ExperimentNotFound(StoreError):
    """No experiment of that name is in this store."""

    exit_code = 3
