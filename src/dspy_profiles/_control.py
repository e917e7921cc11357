"""Control characters, and what is shown in their place."""

import re

__all__ = ["CONTROL", "escaped", "picture", "without_control"]

# Escapes and other control characters, changes of the reading direction, halves of characters.
CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def without_control(text: str) -> str:
    """Return the text with a picture for each control character but newline and tab."""
    if CONTROL.search(text) is None:
        return text
    return CONTROL.sub(picture, text.replace("\r\n", "\n"))


def escaped(text: str) -> str:
    """Return JSON or TOML in which each control character is an escape."""
    return CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def picture(match: re.Match[str]) -> str:
    """Return visible characters for a control character."""
    code = ord(match[0])
    if code < 0x20:  # noqa: PLR2004 - Unicode has a picture of each of these
        return chr(0x2400 + code)
    if code == 0x7F:  # noqa: PLR2004
        return "\u2421"
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else f"⟨U+{code:04X}⟩"  # noqa: PLR2004
