"""Each figure by one command, next to what it is compared with: `uv run python -m benchmarks`."""
