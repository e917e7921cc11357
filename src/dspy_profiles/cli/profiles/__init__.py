"""Commands that read and change profiles."""
