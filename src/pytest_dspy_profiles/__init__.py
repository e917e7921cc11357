"""dspy-profiles."""
