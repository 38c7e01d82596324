"""The server of /healthz, /readyz and /metrics. It does not depend on kopf: a standby is ready and idle."""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

_log = logging.getLogger(__name__)

Check = Callable[[], str | None]


@dataclass(slots=True)
class Health:
    """The checks behind the probes. A check returns None, or a sentence about what is wrong (and nothing secret).

    `alive`: if one fails, the pod is restarted, so only for what a restart repairs. `ready`: decides about traffic.
    """

    alive: dict[str, Check] = field(default_factory=dict)
    ready: dict[str, Check] = field(default_factory=dict)


class HealthServer:
    """Serves on `address`:`port` from `start` to `stop`. Port 0 takes a free one, which `port` then names."""

    def __init__(
        self, health: Health, render: Callable[[Iterable[str]], bytes], address: str = "127.0.0.1", port: int = 8080
    ) -> None:
        self._health = health
        self._render = render
        self._address = address
        self.port = port
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Start to listen.

        Raises:
            OSError: the address is in use, or is not one of this machine.

        """
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._address, self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        _log.info("health and metrics are served", extra={"address": self._address, "port": self.port})

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _healthz(self, _: web.Request) -> web.Response:
        return _answer(self._health.alive)

    async def _readyz(self, _: web.Request) -> web.Response:
        return _answer({**self._health.alive, **self._health.ready})

    async def _metrics(self, request: web.Request) -> web.Response:
        # `name[]`, as the Prometheus clients take it: of thousands of resources all series are tens of megabytes.
        names = request.query.getall("name[]", [])
        return web.Response(body=self._render(names), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


def _answer(checks: Mapping[str, Check]) -> web.Response:
    results = {name: check() for name, check in checks.items()}
    body = json.dumps({name: why or "ok" for name, why in results.items()})
    failing = any(results.values())
    return web.Response(status=503 if failing else 200, text=body + "\n", content_type="application/json")
