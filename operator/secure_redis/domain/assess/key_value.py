"""The value of an access key: whether it is well-formed, and which of the cache's keys it equals."""

import hmac
from typing import Final

from pydantic import SecretStr

from secure_redis.domain.observe.keys import ListedKeys, Slot

# Azure's access keys have 44 to 64 characters; far beyond that, something else was stored.
LONGEST_KEY: Final = 512


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
