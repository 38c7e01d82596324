"""The public cloud's login host for a client of a custom cloud: `python -m benchmarks.public_login FILE CA URL`.

Before MSAL for Go uses an authority that it does not know, it asks login.microsoftonline.com about it. Here that host
is reached through an HTTPS proxy on a loopback port, which needs no permission to open port 443. The host passes
each question on to the simulator's login host, so that it is in the simulator's request log like every other request.
"""

import asyncio
import contextlib
import ssl
import sys
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp import web

from sandbox.azure.control.endpoints import Endpoints
from sandbox.azure.server import tls_context
from sandbox.ca import CertificateAuthority
from sandbox.processes import Child
from sandbox.waiting import wait_for

HOST: Final = "login.microsoftonline.com"
_DISCOVERY: Final = "/common/discovery/instance"
_CHUNK: Final = 64 * 1024


class PublicLogin:
    """The host as a child process, for the clients to which `environment` is given."""

    def __init__(self, endpoints: Endpoints, directory: Path) -> None:
        self._endpoints = endpoints
        self._ready = directory / "public-login.port"
        self._ready.unlink(missing_ok=True)
        argv = [sys.executable, "-m", "benchmarks.public_login", str(self._ready), str(endpoints.ca_file.parent)]
        self._child = Child([*argv, endpoints.authority], directory / "public-login.log", name="public login")
        wait_for(self._listens, 30, "the public login host to listen")

    def environment(self) -> dict[str, str]:
        """Return the environment of a client. It reaches every other host directly."""
        proxy = f"http://127.0.0.1:{self._ready.read_text()}"
        return {"HTTPS_PROXY": proxy, "NO_PROXY": f"127.0.0.1,.{self._endpoints.domain}"}

    def stop(self) -> None:
        """End it."""
        self._child.terminate()

    def _listens(self) -> bool:
        self._child.check()
        return self._ready.exists()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, RuntimeError):
        while chunk := await source.read(_CHUNK):
            target.write(chunk)
            await target.drain()
        target.write_eof()


async def _serve(ready: Path, ca: Path, authority: str) -> None:
    certificates = CertificateAuthority.create_or_load(ca)
    issued = certificates.issue(HOST)
    trust = ssl.create_default_context(cafile=str(certificates.ca_file))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as session:

        async def discover(request: web.Request) -> web.Response:
            async with session.get(f"{authority}{_DISCOVERY}", params=request.query) as answer:
                return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)

        app = web.Application()
        app.router.add_get(_DISCOVERY, discover)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls_context(issued.cert_file, issued.key_file)).start()
        port = int(runner.addresses[0][1])

        async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            """Answer one CONNECT, for the one host that is served, and pass the bytes on."""
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                request = await reader.readuntil(b"\r\n\r\n")
                if not request.startswith(f"CONNECT {HOST}:443 ".encode()):
                    print(f"refused: {request.splitlines()[0]!r}", file=sys.stderr, flush=True)
                    writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                    await writer.drain()
                else:
                    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
                    await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
                    inner_writer.close()
            writer.close()

        proxy = await asyncio.start_server(connect, "127.0.0.1", 0)
        scratch = ready.with_suffix(".new")
        scratch.write_text(str(proxy.sockets[0].getsockname()[1]))
        scratch.replace(ready)  # whole or not at all
        await proxy.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
