"""The TCP front of a cache: the real ports on its own address, open to clients that the simulated network admits.

It never decrypts: bytes go to and from the redis-server as they are.
"""

import asyncio
import contextlib
import dataclasses
import itertools
import socket
import struct
from collections.abc import Awaitable, Callable

from sandbox.redis_settings import RedisFault

_CHUNK = 64 * 1024
_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\nServer: proxy\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html></html>"
)
_GARBAGE = bytes(range(255, 127, -1)) * 32
_TRICKLE = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03"  # a record of 16 KiB that begins with a ServerHello
_TRICKLE_SECONDS = 0.05
Way = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class FrontError(RuntimeError):
    """The front cannot listen. The text says why."""


@dataclasses.dataclass(eq=False)
class _Connection:
    client: str
    writer: asyncio.StreamWriter
    task: asyncio.Task[None] | None = None


class Front:
    """One listening port. `admits` decides by the client's source address, `connect` opens the way to the server."""

    def __init__(self, address: str, port: int, admits: Callable[[str], bool], connect: Way) -> None:
        self._address = address
        self._port = port
        self._admits = admits
        self._connect = connect
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self.fault: RedisFault | None = None

    async def open(self) -> None:
        """Listen. Raises FrontError if the port is taken."""
        try:
            self._server = await asyncio.start_server(self._serve, self._address, self._port, limit=_CHUNK)
        except OSError as error:
            raise FrontError(
                f"{self._address}:{self._port} cannot be listened on ({error.strerror}): "
                "is there a server on this machine that listens on this port on all addresses?"
            ) from error

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._drop(list(self._connections))

    async def enforce(self) -> None:
        """Drop the connections of clients that are no longer admitted."""
        await self._drop([one for one in self._connections if not self._admits(one.client)])

    async def _drop(self, connections: list[_Connection]) -> None:
        tasks = []
        for one in connections:
            _reset(one.writer)
            if one.task is not None:
                one.task.cancel()
                tasks.append(one.task)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = writer.get_extra_info("peername")[0]
        one = _Connection(client, writer, asyncio.current_task())
        self._connections.add(one)
        try:
            if not self._admits(client) or self.fault is RedisFault.RESET:
                _reset(writer)
            elif self.fault is RedisFault.HANG:
                while await reader.read(_CHUNK):
                    pass
            elif self.fault is RedisFault.HTTP:
                await reader.read(_CHUNK)
                writer.write(_HTTP)
                await writer.drain()
            elif self.fault is RedisFault.GARBAGE:
                writer.write(_GARBAGE)
                await writer.drain()
                await reader.read(_CHUNK)
            elif self.fault is RedisFault.TRICKLE:
                await _trickle(writer)
            elif self.fault is RedisFault.CUT_OLD_TLS:
                start = await reader.read(_CHUNK)
                if _is_old_hello(start):
                    _reset(writer)
                else:
                    await self._forward(reader, writer, start)
            else:
                await self._forward(reader, writer)
        except OSError:
            _reset(writer)  # one side went away; so does the other
        except asyncio.CancelledError:
            _reset(writer)  # dropped by us; the streams of Python 3.11 would log a handler that ends as cancelled
        finally:
            self._connections.discard(one)
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, start: bytes = b"") -> None:
        try:
            behind_reader, behind_writer = await self._connect()
        except (OSError, RuntimeError, TimeoutError):
            _reset(writer)
            return
        behind_writer.write(start)
        ways = [
            asyncio.create_task(_pump(reader, behind_writer)),
            asyncio.create_task(_pump(behind_reader, writer)),
        ]
        try:
            await asyncio.gather(*ways)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            behind_writer.close()


async def _trickle(writer: asyncio.StreamWriter) -> None:
    for byte in itertools.chain(_TRICKLE, itertools.repeat(0)):
        writer.write(bytes((byte,)))
        await writer.drain()
        await asyncio.sleep(_TRICKLE_SECONDS)


def _is_old_hello(start: bytes) -> bool:
    """Return whether a client offers at most TLS 1.1: the version in its ClientHello (RFC 4346 §7.4.1.2)."""
    return len(start) > 10 and start[0] == 22 and start[5] == 1 and start[9:11] < b"\x03\x03"


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(_CHUNK):
        target.write(data)
        await target.drain()
    if target.can_write_eof():
        with contextlib.suppress(OSError):
            target.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST instead of FIN, and send nothing that is still buffered."""
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
