"""Listeners that do what a real Redis does not, for the tests of the probe."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime

import pytest
import trustme

from secure_redis.domain.observe.endpoint import EndpointFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.probe.endpoint import probe

NOW = datetime(2026, 11, 24, tzinfo=UTC)
CHECKS = ("chain", "name", "negotiated", "tls_1_0", "tls_1_1", "tls_1_2", "tls_1_3", "certificate", "plaintext")
TLS_CHECKS = CHECKS[:-1]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ALERT_70 = bytes.fromhex("15030100020246")
ALERT_40 = bytes.fromhex("15030100020228")
SERVER_HELLO_1_1 = bytes.fromhex("160302003d020000390302") + bytes(100)


class Net:
    """Listeners on one loopback address, and how many connections they took."""

    def __init__(self, roots: trustme.CA, ca_file: str) -> None:
        self.roots = roots
        self.ca_file = ca_file
        self.taken = 0
        self.open = 0
        self.alerts: list[str] = []  # what ended handshakes, in OpenSSL's words
        self.changed = asyncio.Condition()
        self._servers: list[asyncio.Server] = []

    async def listen(self, talk: Talk, address: str = "127.0.0.1") -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.taken += 1
            await self._count(1)
            try:
                with contextlib.suppress(OSError):
                    await talk(reader, writer)
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
            finally:
                writer.transport.abort()
                await self._count(-1)

        server = await asyncio.start_server(serve, address, 0)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def serve(self, tls: ssl.SSLContext, address: str = "127.0.0.1") -> int:
        """A TLS server that says its alerts, which asyncio's does not."""

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            side = tls.wrap_bio(incoming, outgoing, server_side=True)
            while data := await reader.read(65536):
                incoming.write(data)
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLError as error:
                    self.alerts.append(error.reason or "")
                    writer.write(outgoing.read())
                    return
                writer.write(outgoing.read())

        return await self.listen(talk, address=address)

    async def forward(self, route: Callable[[bytes], int | None]) -> int:
        """Let the first bytes of a client decide which port serves it; None: cut."""

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            start = await reader.read(65536)
            port = route(start)
            if port is None:
                reset(writer)
                return
            behind, there = await asyncio.open_connection("127.0.0.1", port)
            there.write(start)

            async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
                with contextlib.suppress(OSError):
                    while data := await source.read(65536):
                        target.write(data)
                target.close()

            await asyncio.gather(pump(reader, there), pump(behind, writer))

        return await self.listen(talk)

    def tls(self, name: str = "localhost", oldest: str = "TLSv1_2", newest: str = "TLSv1_3") -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.roots.issue_cert(name).configure_cert(context)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion[oldest]
        context.maximum_version = ssl.TLSVersion[newest]
        return context

    async def probe(
        self, port: int, plaintext_port: int, host: str = "localhost", deadline: float = 6
    ) -> EndpointFacts:
        return await probe(
            host, port, plaintext_port=plaintext_port, ca_file=self.ca_file, deadline=deadline, now=lambda: NOW
        )

    async def none_open(self) -> None:
        """Wait until every connection was closed by its other side."""
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: self.open == 0)

    async def _count(self, by: int) -> None:
        async with self.changed:
            self.open += by
            self.changed.notify_all()

    async def close(self) -> None:
        for server in self._servers:
            server.close()


async def read(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    while await reader.read(65536):
        pass


def reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65536)
    reset(writer)


def says(data: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(data)
        await writer.drain()
        await read(reader, writer)

    return talk


def unknown(facts: EndpointFacts, *checks: str) -> set[str]:
    """Assert that these are Unknown; returns their messages."""
    found = {check: getattr(facts, check) for check in checks}
    assert {check for check, value in found.items() if not isinstance(value, Unknown)} == set()
    return {value.message for value in found.values()}


@contextlib.contextmanager
def dropping(*addresses: str) -> Iterator[int]:
    """Give a port that drops packets on these addresses: its backlog is full, so that a SYN is dropped."""
    with contextlib.ExitStack() as stack:
        port = 0
        for address in addresses:
            full = stack.enter_context(socket.socket())
            full.bind((address, port))
            port = int(full.getsockname()[1])
            full.listen(0)
            for _ in range(8):
                client = stack.enter_context(socket.socket())
                client.setblocking(False)
                client.connect_ex(full.getsockname())
        yield port


def resolves(
    monkeypatch: pytest.MonkeyPatch, *addresses: str, error: Exception | None = None, seconds: float = 0
) -> None:
    """Replace the loop's resolver, for answers that none here gives. Without address and error it never answers."""

    async def answer(*_: object, **__: object) -> list[object]:
        await asyncio.sleep(seconds)
        if error is not None:
            raise error
        if not addresses:
            await asyncio.Event().wait()
        kinds = (socket.AF_INET6 if ":" in address else socket.AF_INET for address in addresses)
        return [(kind, socket.SOCK_STREAM, 6, "", (address, 0)) for kind, address in zip(kinds, addresses, strict=True)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", answer)
