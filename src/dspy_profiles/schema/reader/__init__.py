"""Read signatures from Python source, without importing it."""
