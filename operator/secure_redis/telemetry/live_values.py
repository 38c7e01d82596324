"""Recognise the secret values at hand in a text, in whatever spelling a server quotes them.

A key that Azure quotes percent-encoded, in base64 or within a path has no shape that a pattern could know. But its
value is known: the pass that sends or reads it registers it here. Text and value are compared without their signs,
escapes and case, so that one comparison finds all spellings.

A value is searched only in the texts of its own resource. A vault's owner chooses the value, and a value such as
"quota exceeded" must not blank the messages of any other resource.
"""

import base64
import contextlib
import html
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

MASK: Final = "[redacted]"

_GRAM: Final = 10  # letters and digits that are compared at the same time: 50 bits of a random key
_STRIDE: Final = 5  # a part of at least 14 letters and digits is found
_FEWEST_DIFFERENT: Final = 5  # of a gram, so that "0000000000" is found in nothing
_LONGEST_VALUE: Final = 8192
_SPELLED: Final = 512  # how much of a value is looked for in other spellings too: of a token, its shape is known
_MOST_VALUES: Final = 32  # of one resource
_MOST_RESOURCES: Final = 10_000
_MOST_GRAMS: Final = 20_000  # of all indexes, about 160 bytes each; two keys have 500, the tokens of an identity 5,000
_KEEP_SECONDS: Final = 2 * 3600.0
_LONGEST_TEXT: Final = 20_000
_ROUNDS: Final = 3  # percent-encoded JSON in JSON, and one more

_ESCAPE: Final = re.compile(
    r"%u[0-9a-f]{4}|%[0-9a-f]{2}|\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|\b0x[0-9a-f]{2}(?![0-9a-f])|\\[nrtbf]"
    r"|&#[0-9]{1,7};|&#x[0-9a-f]{1,6};|&[a-z]{2,10};",
    re.IGNORECASE | re.ASCII,
)
_SIGNS: Final = re.compile(r"[^a-z0-9]+")  # of a text in ASCII and lower case
# The secret parts of a connection string or of a URL. Its other parts, such as the host, are in ordinary messages.
_PART: Final = re.compile(
    r"(?:key|password|pwd|secret|token|sig|signature|auth)\s{0,4}[=:]\s{0,4}([^;,&\s\"']{8,4000})"
    r"|://[^/@:\s]{0,200}:([^@/\s]{8,4000})@",
    re.IGNORECASE,
)


@dataclass(slots=True)
class _Values:
    """The values of one resource, with the time until which each is kept."""

    until: dict[str, float] = field(default_factory=dict, repr=False)


@dataclass(slots=True)
class _Index:
    """Where each gram is in which spelling of which value, for the values `of`."""

    of: set[str] = field(default_factory=set, repr=False)
    grams: dict[str, tuple[str, int]] = field(default_factory=dict, repr=False)


# The resource ("namespace/name") whose pass runs in this task.
_resource: ContextVar[str | None] = ContextVar("live_values_of", default=None)
_registry: OrderedDict[str, _Values] = OrderedDict()
_indexes: OrderedDict[str, _Index] = OrderedDict()  # the one that was used last is the last
_clock: Callable[[], float] = time.monotonic


def enter(resource: str) -> None:
    """Search the texts of this task, and of the tasks that it starts, for the values of `resource`."""
    _resource.set(resource)


def remember(value: str) -> None:
    """Search the texts of the current resource for `value` from now on, for two hours after its last use."""
    resource = _resource.get()
    if resource is None or not 8 <= len(value) <= _LONGEST_VALUE:
        return
    values = _registry.get(resource)
    if values is None:
        values = _registry[resource] = _Values()
        while len(_registry) > _MOST_RESOURCES:
            _indexes.pop(_registry.popitem(last=False)[0], None)
    _registry.move_to_end(resource)
    values.until.pop(value, None)  # the newest use is the last
    values.until[value] = _clock() + _KEEP_SECONDS
    while len(values.until) > _MOST_VALUES:
        del values.until[next(iter(values.until))]
        _indexes.pop(resource, None)


def mask(text: str) -> str:
    """Replace each part of `text` that spells a value of the current resource. Reads 20,000 characters at most."""
    resource = _resource.get()
    if resource is None or resource not in _registry or not text:
        return text
    index = _index(resource)
    if not index:
        return text
    text = text[:_LONGEST_TEXT]
    if next(_hits(_plain(text), index), None) is None:
        return text  # nearly always: the place of each letter is not worked out
    letters, spans = _letters(text)
    found = [(spans[start][0], spans[end - 1][1]) for start, end in _hits(letters, index)]
    for start, end in reversed(_merged(text, found)):
        text = text[:start] + MASK + text[end:]
    return text


def _index(resource: str) -> Mapping[str, tuple[str, int]]:
    """Return where each gram is in which spelling of which value. Only the spellings of new values are made."""
    values, now = _registry[resource], _clock()
    for value in [value for value, until in values.until.items() if until < now]:
        del values.until[value]
        _indexes.pop(resource, None)
    index = _indexes.setdefault(resource, _Index())
    _indexes.move_to_end(resource)
    if new := values.until.keys() - index.of:
        for value in new:
            _add(index.grams, value)
        index.of |= new
        while len(_indexes) > 1 and sum(len(one.grams) for one in _indexes.values()) > _MOST_GRAMS:
            _indexes.popitem(last=False)
    return index.grams


def _add(grams: dict[str, tuple[str, int]], value: str) -> None:
    for spelled in _spellings(value):
        last = len(spelled) - _GRAM
        for at in {*range(0, last + 1, _STRIDE), last} if last >= 0 else ():
            gram = spelled[at : at + _GRAM]
            if len(set(gram)) >= _FEWEST_DIFFERENT:
                grams.setdefault(gram, (spelled, at))


def _spellings(value: str) -> Iterator[str]:
    parts = [first or second for first, second in _PART.findall(value)] or [value]
    for part in parts:
        yield _plain(part)
        raw = part[:_SPELLED].encode("utf-8", "surrogatepass")
        yield raw.hex()
        yield "".join(str(byte) for byte in raw)
        once = base64.b64encode(raw)
        for data in (raw, once):
            for before in range(3):
                # Which characters a byte becomes depends on its place; those at the ends depend on what is beside it.
                encoded = base64.b64encode(b"\0" * before + data).decode().rstrip("=")
                yield _plain(encoded[4 if before else 0 : -2])
        with contextlib.suppress(ValueError):
            yield base64.b64decode(part, validate=True).hex()  # the bytes of a key, which is base64 itself


def _plain(text: str) -> str:
    """Return the letters of `_letters`, without their places."""
    return _letters(text)[0] if not text.isascii() or _ESCAPE.search(text) else _SIGNS.sub("", text.lower())


def _letters(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Return the letters and digits that a text spells, in lower case, and where each is in the text."""
    spans = [(at, at + 1) for at in range(len(text))]
    for _ in range(_ROUNDS):
        if not _ESCAPE.search(text):
            break
        characters: list[str] = []
        kept: list[tuple[int, int]] = []
        end = 0
        for escape in _ESCAPE.finditer(text):
            characters += text[end : escape.start()]
            kept += spans[end : escape.start()]
            end = escape.end()
            characters.append(_unescape(escape.group()))
            kept.append((spans[escape.start()][0], spans[end - 1][1]))
        characters += text[end:]
        kept += spans[end:]
        text, spans = "".join(characters), kept
    pairs = [(one.lower()[:1], span) for one, span in zip(text, spans, strict=True) if one.isalnum()]
    return "".join(one for one, _ in pairs), [span for _, span in pairs]


def _unescape(escape: str) -> str:
    """Return the one character that an escape means."""
    if escape[0] == "&":
        return html.unescape(escape)[:1]
    if escape[0] == "\\" and len(escape) == 2:
        return " "
    digits = escape[1:] if escape[0] == "%" and escape[1] not in "uU" else escape[2:]
    return chr(int(digits, 16))


def _hits(letters: str, index: Mapping[str, tuple[str, int]]) -> Iterator[tuple[int, int]]:
    """Yield start and end of each stretch of `letters` that spells a part of a value."""
    at, done = 0, 0
    while at <= len(letters) - _GRAM:
        hit = index.get(letters[at : at + _GRAM])
        if hit is None:
            at += 1
            continue
        spelled, place = hit
        start, first = at, place
        while start > done and first > 0 and letters[start - 1] == spelled[first - 1]:
            start, first = start - 1, first - 1
        end, last = at + _GRAM, place + _GRAM
        while end < len(letters) and last < len(spelled) and letters[end] == spelled[last]:
            end, last = end + 1, last + 1
        yield start, end
        at = done = end


_BESIDE: Final = frozenset("+/=_-%\\")


def _merged(text: str, found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join stretches with nothing but signs between them, and take the padding behind them in."""
    merged: list[tuple[int, int]] = []
    for start, end in found:
        while end < len(text) and text[end] == "=":
            end += 1
        if merged and all(one in _BESIDE or one.isspace() for one in text[merged[-1][1] : start]):
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged
