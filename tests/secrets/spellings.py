"""How programs spell a value; a test writes this file to its project, too."""

import base64
import html
import json
from urllib.parse import quote, quote_plus


def spellings(value: str) -> dict[str, str]:
    """Return a value in the ways that nobody may see."""
    data = value.encode()
    plain = base64.b64encode(data).decode()
    return {
        "plain": value,
        "repr": repr([value]),
        "json": json.dumps({"k": value}),
        "json not in ascii": json.dumps({"k": value}, ensure_ascii=False),
        "json twice": json.dumps(json.dumps({"k": value})),
        "url": f"https://h/?k={quote(value, safe='')}",
        "form": f"k={quote_plus(value)}&l=1",
        "page": html.escape(value),
        "base64": plain,
        "base64 without padding": plain.rstrip("="),
        "base64 for urls": base64.urlsafe_b64encode(data).decode().rstrip("="),
        "base64 in a url": quote(plain, safe=""),
        "base64 in lines": base64.encodebytes(data).decode(),
        "basic": "Basic " + base64.b64encode(b"me:" + data).decode(),
        "basic of a longer user": "Basic " + base64.b64encode(b"user1:" + data).decode(),
        "base64 in a longer text": base64.b64encode(b'{"key": "' + data + b'", "n": 1}').decode(),
        "hex": data.hex(),
        "hex in capitals": data.hex().upper(),
        "in capitals": value.upper(),
        "in small letters": value.lower(),
    }


def traces(value: str) -> list[bytes]:
    """Return what no output may contain: the middle of each spelling, and of each line."""
    lines = [line for line in value.splitlines() if len(line) > 8 and "-----" not in line]
    texts = [*spellings(value).values(), *lines]
    return [text[len(text) // 3 : len(text) // 3 * 2].encode() for text in texts]
