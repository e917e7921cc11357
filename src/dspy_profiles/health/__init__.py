"""Whether profiles are sound, and whether they work: what `validate` and `doctor` know."""
