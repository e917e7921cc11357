"""Untrusted text, safe to show: it cannot control a terminal or hide in a page."""

import re

from dspy_profiles.secrets import redact

__all__ = ["CONTROL", "CUT", "on_one_line", "picture", "visible"]

CUT = "…"
# Escapes and other control characters, changes of the reading direction, halves of characters.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """Return the text, redacted, with a picture for each control character but newline and tab."""
    text = redact(text)
    if CONTROL.search(text) is None:
        return text
    return CONTROL.sub(picture, text.replace("\r\n", "\n"))


def on_one_line(text: str, most: int = 300) -> str:
    """Return the beginning of a text on one line, and `…` if it goes on."""
    text = redact(text)  # all of it: a cut must not leave half of a secret
    begun = text if len(text) <= 8 * most else text[: 8 * most] + CUT
    line = " ".join(visible(begun).split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}{CUT}"


def picture(match: re.Match[str]) -> str:
    """Return visible characters for a control character."""
    code = ord(match[0])
    if code < 0x20:  # noqa: PLR2004 - Unicode has a picture of each of these
        return chr(0x2400 + code)
    if code == 0x7F:  # noqa: PLR2004
        return "\u2421"
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else f"⟨U+{code:04X}⟩"  # noqa: PLR2004
