"""The pytest plugin of dspy-profiles."""
