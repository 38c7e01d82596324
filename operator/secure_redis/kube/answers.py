"""Read answers of the API server within bounds: bytes while they arrive, and lists in pages of bounded size.

The API server bounds an object (1.5 MiB in etcd), but neither a page nor a line. A party that may create objects
decides how large both are.
"""

from collections.abc import AsyncIterator
from typing import Final

import aiohttp

PAGE: Final = 100  # objects of a page that no one made large: a resource has some 10 KiB
PAGE_BYTES: Final = 2 * 1024 * 1024  # of a page; a larger one is requested again in smaller parts
# Of one object, a line of a watch, or any other answer. An object of 1.5 MiB in etcd has up to 2.1 MiB as JSON.
ANSWER_BYTES: Final = 8 * 1024 * 1024
_CHUNK: Final = 64 * 1024
_SHRINK: Final = 10
_GROW: Final = 2


class AnswerTooLarge(Exception):
    """The answer is larger than it may be. The client drops the part that arrived."""


def too_large(most: int = ANSWER_BYTES) -> str:
    """Explain that an answer is larger than `most` bytes."""
    return f"the API server's answer is larger than {most} bytes"


class PageLimit:
    """The `limit` of a list's next page: smaller after a page that is too large, larger again after small ones."""

    def __init__(self) -> None:
        self.limit = PAGE

    @property
    def bytes(self) -> int:
        """How large the next page may be. A single object may be as large as any."""
        return PAGE_BYTES if self.limit > 1 else ANSWER_BYTES

    def shrink(self) -> None:
        """The page was too large."""
        self.limit = max(1, self.limit // _SHRINK)

    def took(self, size: int) -> None:
        """A page of so many bytes arrived: the next may be larger if this one was small."""
        if size * _GROW * _GROW <= PAGE_BYTES:
            self.limit = min(PAGE, self.limit * _GROW)


async def read(content: aiohttp.StreamReader, most: int = ANSWER_BYTES) -> bytes:
    """Read an answer's body.

    Raises:
        AnswerTooLarge: it has more than `most` bytes. The caller closes the connection.

    """
    parts, size = list[bytes](), 0
    async for part in content.iter_chunked(_CHUNK):
        size += len(part)
        if size > most:
            raise AnswerTooLarge
        parts.append(part)
    return b"".join(parts)


async def lines(content: aiohttp.StreamReader, most: int = ANSWER_BYTES) -> AsyncIterator[bytes]:
    """Yield the lines of a stream, without empty ones.

    Raises:
        AnswerTooLarge: a line has more than `most` bytes.

    """
    parts, size = list[bytes](), 0
    async for part in content.iter_any():
        first, *others = part.split(b"\n")
        size += len(first)
        if size > most:
            raise AnswerTooLarge
        parts.append(first)
        if not others:
            continue
        *whole, rest = others
        for line in (b"".join(parts), *whole):
            if line:
                yield line
        parts, size = [rest], len(rest)
    if line := b"".join(parts):
        yield line
