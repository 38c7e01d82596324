"""Bound what an answer of Azure can cost: its bytes, its structure, its encoding and its headers.

Every answer passes here, whatever SDK asked: Resource Manager, Key Vault, Entra, the instance metadata service. Real
services never need these bounds. A proxy, a captive portal or a compromised service does.
"""

import asyncio
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Final

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy

_KIB: Final = 1024
_MIB: Final = 1024 * _KIB

# Resource Manager limits an answer of a provider to 8 MB (docs/internals/azure-facts.md#sizes-of-answers). A list
# of 1,000 caches has some 3 MB.
LARGEST_OF_RESOURCE_MANAGER: Final = 8 * _MIB
# A page of 25 versions with 15 tags of 512 characters each has 200 KiB, a secret's value at most 25 KB (Key Vault's
# documentation, "About secrets"). A token has some KiB.
LARGEST: Final = 1 * _MIB
# An error's text is cut to 500 characters later.
LARGEST_ERROR: Final = 256 * _KIB
# Empty objects and lists need three bytes and become 60 or more in memory. 1,000 caches have some 100,000 members.
MOST_MEMBERS: Final = 400_000
LARGEST_HEADER: Final = 8 * _KIB  # of all values of one name together; aiohttp bounds each line to that

_LARGEST_PART: Final = 256 * _KIB
# aiohttp requests these by default; azure-core reads them. "deflate" is the zlib format (RFC 9110 section 8.4.1.2).
_WINDOW: Final = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}

# Set by the gate for each request. A request without a gate (to the instance metadata service) gets the default.
largest_answer: ContextVar[int] = ContextVar("largest_answer", default=LARGEST)

_JSON: Final = re.compile(r"(?:application|text)/(?:[0-9a-z+.-]{1,80}\+)?json", re.ASCII)


class AnswerTooLarge(aiohttp.ClientPayloadError):
    """The answer is larger than any answer of this service. The rest of it was not read."""


class BoundedResponse(aiohttp.ClientResponse):
    """An answer that is decompressed and read in pieces, up to a limit, and whose headers choose no decoder."""

    _safe: "CIMultiDictProxy[str] | None" = None

    @property
    def headers(self) -> "CIMultiDictProxy[str]":
        """Return the headers without what the body was freed of, bounded, and with a charset that costs nothing."""
        if self._safe is None:
            self._safe = CIMultiDictProxy(_safe(super().headers))
        return self._safe

    async def read(self) -> bytes:
        """Return the whole body, decompressed.

        Raises:
            AnswerTooLarge: it is larger than `largest_answer`, or has more members than any answer here.
            aiohttp.ClientError: as aiohttp's own `read`, and where the body cannot be decompressed.

        """
        if self._body is None:
            try:
                self._body = await self._pieces()
            except BaseException:
                self.close()  # not released: the connection still has the rest in it
                raise
        return await super().read()

    async def _pieces(self) -> bytes:
        most = largest_answer.get()
        if self.status >= 400:
            most = min(most, LARGEST_ERROR)
        decoder = _decoder(super().headers.get("Content-Encoding", ""))
        body = bytearray()
        while piece := await self.content.readany():
            for part in decoder(piece):
                body += part
                if len(body) > most:
                    raise AnswerTooLarge(f"the answer has more than {most // _KIB} KiB")
                await asyncio.sleep(0)  # a sender that is always faster must not keep the loop to itself
        if body.count(b",") + body.count(b"[") + body.count(b"{") > MOST_MEMBERS:
            raise AnswerTooLarge(f"the answer has more than {MOST_MEMBERS} members")
        return bytes(body)


def _decoder(encoding: str) -> Callable[[bytes], Iterator[bytes]]:
    """Return what decompresses a piece of the body, in parts of bounded size."""
    bits = _WINDOW.get(encoding.strip().lower())
    if bits is None:  # not compressed, or in a way that was not asked for: no JSON, which its reader finds out
        return lambda piece: iter((piece,))
    unpacker = zlib.decompressobj(wbits=bits)

    def parts(piece: bytes) -> Iterator[bytes]:
        try:
            while piece:
                yield unpacker.decompress(piece, _LARGEST_PART)
                piece = unpacker.unconsumed_tail
        except zlib.error as error:
            raise aiohttp.ClientPayloadError("the answer cannot be decompressed") from error

    return parts


def _safe(headers: Mapping[str, str]) -> "CIMultiDict[str]":
    result: CIMultiDict[str] = CIMultiDict()
    lengths: dict[str, int] = {}
    for name, value in headers.items():
        key = name.lower()
        # azure-core joins the values of a name and applies patterns to them.
        lengths[key] = lengths.get(key, 0) + len(value)
        if key != "content-encoding" and lengths[key] <= LARGEST_HEADER:
            result.add(name, value)
    if "Content-Type" in result:
        # All of these services send JSON in UTF-8. Another charset names a decoder: some are quadratic (punycode),
        # some decode no text (zlib); where there is none, azure-core guesses. XML can name entities.
        kind = result["Content-Type"].partition(";")[0].strip().lower()
        result["Content-Type"] = kind if _JSON.fullmatch(kind) else "text/plain; charset=utf-8"
    return result
