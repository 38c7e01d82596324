"""The value of an access key: whether it is well-formed, and which of the cache's keys it equals."""

import base64
import hmac
import json
import re
from typing import Final

from pydantic import SecretStr

from secure_redis.domain.observe.keys import ListedKeys, Slot

# Azure's access keys have 44 to 64 characters; far beyond that, something else was stored.
LONGEST_KEY: Final = 512

_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_ADDRESS = re.compile(r"://|[a-z0-9-]\.[a-z0-9-]{1,63}(?::[0-9]|,|$)", re.IGNORECASE | re.ASCII)


def malformed(value: SecretStr) -> str | None:
    """Find what is wrong with a value as an access key (a predicate such as "is empty"), without showing any of it.

    Access keys are base64. More is let through, but nothing that a connection string cannot carry: StackExchange has
    no way to write a comma and would take what follows it for an option such as `ssl`.
    """
    text = value.get_secret_value()
    if not text:
        return "is empty"
    if text.isspace():
        return "holds only whitespace"
    for test, fault in (
        ("\n" in text or "\r" in text, "holds a line break (often the last character, from a file or `echo`)"),
        ("\0" in text, "holds a NUL character"),
        (any(letter.isspace() for letter in text), "holds whitespace"),
        (not text.isascii(), "holds a character that is not ASCII"),
        (not text.isprintable(), "holds a character that cannot be printed"),
        ("," in text, "holds a comma"),
        (len(text) > LONGEST_KEY, f"is longer than {LONGEST_KEY} characters"),
    ):
        if test:
            return fault
    return None


def shape(value: SecretStr) -> str:
    """Name the shape that shows how a value was stored wrongly, as the rest of a sentence; empty where it shows none.

    No access key has one of these shapes, so the answer shows no part of a key.
    """
    text = value.get_secret_value().strip()
    head = text[:LONGEST_KEY]  # on a large value, a pattern would block the whole operator
    for test, name in (
        (len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`", "a quoted string"),
        (text[:1] in ("{", "[") and _is_json(text), "JSON"),
        (_ADDRESS.search(head) is not None, "an address or a connection string"),
        (_PERCENT.search(head) is not None, "percent-encoding"),
        (_is_base64_of_text(text), "base64 of a text"),
    ):
        if test:
            return f"; it has the shape of {name}: store the key alone"
    return ""


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_base64_of_text(text: str) -> bool:
    """Whether the value is base64 of printable characters. A key is base64 of random bytes, which are not."""
    try:
        inner = base64.b64decode(text, validate=True).decode("ascii")
    except ValueError:
        return False
    return len(inner) >= 16 and inner.strip().isprintable()


def same_value(one: bytes, another: bytes) -> bool:
    """Whether two values are equal, in constant time."""
    return hmac.compare_digest(one, another)


def slot_of(value: SecretStr, keys: ListedKeys) -> Slot | None:
    """Find which of the listed keys the value equals; both are always compared, in constant time."""
    candidate = value.get_secret_value().encode("utf-8", "surrogatepass")
    primary, secondary = (
        hmac.compare_digest(candidate, key.get_secret_value().encode("utf-8", "surrogatepass"))
        for key in (keys.primary, keys.secondary)
    )
    if primary:
        return Slot.PRIMARY
    return Slot.SECONDARY if secondary else None
