"""The IPython extension of dspy-profiles. Standard library only, until a magic is used."""
