"""A TCP relay before the server. It counts connections, and notices a key that a client sends without TLS."""

import asyncio
import contextlib

_CHUNK = 64 * 1024


class Relay:
    """Passes bytes on as they are."""

    def __init__(self, address: str, port: int, key: bytes) -> None:
        self._address = address
        self._port = port
        self._key = key
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.in_clear = False

    async def open(self, address: str) -> None:
        """Listen at `address`, at the server's port."""
        self._server = await asyncio.start_server(self._serve, address, self._port)

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            server_reader, server_writer = await asyncio.open_connection(self._address, self._port)
            try:
                await asyncio.gather(
                    self._copy(reader, server_writer, watched=True), self._copy(server_reader, writer, watched=False)
                )
            finally:
                server_writer.close()
        except OSError:
            pass  # either side is gone
        finally:
            writer.close()

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, watched: bool) -> None:
        last = b""
        try:
            while chunk := await source.read(_CHUNK):
                if watched:
                    self.in_clear = self.in_clear or self._key in last + chunk
                    last = chunk[-len(self._key) :]
                target.write(chunk)
                await target.drain()
        finally:
            with contextlib.suppress(OSError, RuntimeError):
                target.write_eof()
