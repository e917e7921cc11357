"""Engines that come with the package, and what lets any engine serve async and streaming calls."""
