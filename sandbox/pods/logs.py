"""Serves `kubectl logs`: the API server asks the node over HTTPS for the containers' log files."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from sandbox.ca import CertificateAuthority
from sandbox.pods.host import HOST_IP

_FOLLOW_SECONDS = 0.2
_CHUNK = 64 * 1024


class LogServer:
    """Serves /containerLogs on loopback. `find` gives a container's log (namespace, pod, container)."""

    def __init__(self, directory: Path, find: Callable[[str, str, str], Path | None]) -> None:
        self._directory = directory
        self._find = find
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Listen on a free port and return it."""
        application = web.Application()
        application.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        certificate = CertificateAuthority.create_or_load(self._directory / ".node-ca").issue(HOST_IP)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.cert_file, certificate.key_file)
        await web.TCPSite(self._runner, HOST_IP, 0, ssl_context=context).start()
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = self._find(*(request.match_info[part] for part in ("namespace", "pod", "container")))
        if path is None:
            return web.Response(status=404, text="no such container on this node")
        answer = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await answer.prepare(request)
        if not path.exists():
            return answer
        with path.open("rb") as log:
            if "tailLines" in request.query:
                await answer.write(b"".join(deque(log, maxlen=int(request.query["tailLines"]))))
            while True:
                chunk = log.read(_CHUNK)
                if chunk:
                    await answer.write(chunk)
                elif request.query.get("follow") != "true" or not path.exists():
                    return answer
                else:
                    await asyncio.sleep(_FOLLOW_SECONDS)
