"""Reads of the API server's answers are bounded, however the answers arrive."""

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from secure_redis.kube.answers import PAGE, PAGE_BYTES, AnswerTooLarge, PageLimit, lines, read


class Content:
    """A stream that arrives in these parts, and counts what was taken of it."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = parts
        self.taken = 0

    async def iter_any(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            self.taken += len(part)
            yield part

    async def iter_chunked(self, _: int) -> AsyncIterator[bytes]:
        async for part in self.iter_any():
            yield part


def stream(*parts: bytes) -> Any:
    return cast("Any", Content(*parts))


async def taken(content: Any, most: int = 8) -> list[bytes]:
    return [line async for line in lines(content, most)]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([b"a\nb\n"], [b"a", b"b"]),
        ([b"a", b"", b"b\n\n\nc"], [b"ab", b"c"]),
        ([b"a\nb", b"c\nd", b"e\n"], [b"a", b"bc", b"de"]),
        ([b"12345678\n12345678"], [b"12345678", b"12345678"]),
        ([], []),
    ],
)
async def test_lines_are_put_together_however_they_are_cut(parts: list[bytes], expected: list[bytes]) -> None:
    assert await taken(stream(*parts)) == expected
    whole = b"".join(parts)
    assert await taken(stream(*(whole[at : at + 1] for at in range(len(whole))))) == expected


async def test_a_line_is_not_read_beyond_its_bound() -> None:
    content = stream(*[b"1234"] * 100)
    with pytest.raises(AnswerTooLarge):
        await taken(content)
    assert content.taken == 12


async def test_a_body_is_not_read_beyond_its_bound() -> None:
    assert await read(stream(b"1234", b"5678"), 8) == b"12345678"
    content = stream(*[b"1234"] * 100)
    with pytest.raises(AnswerTooLarge):
        await read(content, 8)
    assert content.taken == 12


def test_pages_become_smaller_and_larger_again() -> None:
    limit = PageLimit()
    assert (limit.limit, limit.bytes) == (PAGE, PAGE_BYTES)
    while limit.limit > 1:
        limit.shrink()
    assert limit.bytes > PAGE_BYTES, "a single object may be as large as it is"
    limit.took(PAGE_BYTES)
    assert limit.limit == 1
    for _ in range(10):
        limit.took(PAGE_BYTES // 4)
    assert limit.limit == PAGE
