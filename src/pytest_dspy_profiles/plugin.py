"""Loaded into every pytest run of an environment that has us: so it imports nothing heavy."""
