"""Redact log records that pytest shows or writes at once: `log_cli` and `log_file`."""

import logging
from typing import Any

import pytest

from dspy_profiles.secrets import redact

__all__ = ["hide_secrets_in_live_logs"]

HANDLERS = ("log_cli_handler", "log_file_handler")


class RedactingFormatter(logging.Formatter):
    """Redacts what another formatter makes of a record."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        return redact(self._inner.format(record))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)  # plugins add colors to the formatter of live logs


def hide_secrets_in_live_logs(config: pytest.Config) -> None:
    """Redact what pytest's own handlers show from now on; captured logs are part of reports."""
    plugin = config.pluginmanager.get_plugin("logging-plugin")
    for name in HANDLERS:
        handler = getattr(plugin, name, None)
        if handler is not None and not isinstance(handler.formatter, RedactingFormatter):
            handler.setFormatter(RedactingFormatter(handler.formatter or logging.Formatter()))
