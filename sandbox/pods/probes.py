"""Probes of containers: HTTP, TCP, and a command where the image lets a manifest name one."""

import asyncio
import contextlib
import dataclasses
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp

from sandbox.pods.fields import UnsupportedError

Run = Callable[[list[str]], Awaitable[int]]


@dataclasses.dataclass(frozen=True)
class Probe:
    """One probe: its timing (seconds, counts) and its check, which returns whether it succeeded."""

    check: Callable[[], Awaitable[bool]]
    initial_delay: float
    period: float
    timeout: float
    successes: int
    failures: int

    async def once(self) -> bool:
        """Run the check once. A check that takes longer than the timeout has failed."""
        try:
            async with asyncio.timeout(self.timeout):
                return await self.check()
        except (OSError, aiohttp.ClientError, TimeoutError):
            return False


def probe_of(container: Mapping[str, Any], kind: str, pod_ip: str, run: Run | None) -> Probe | None:
    """Return the container's livenessProbe, readinessProbe or startupProbe; `run` runs a command inside the container.

    Raises UnsupportedError for what cannot be done here.
    """
    spec = container.get(kind)
    if not spec:
        return None
    return Probe(
        check=_check(container, spec, kind, pod_ip, run),
        initial_delay=spec.get("initialDelaySeconds", 0),
        period=spec.get("periodSeconds", 10),
        timeout=spec.get("timeoutSeconds", 1),
        successes=spec.get("successThreshold", 1),
        failures=spec.get("failureThreshold", 3),
    )


def _check(
    container: Mapping[str, Any], spec: Mapping[str, Any], kind: str, pod_ip: str, run: Run | None
) -> Callable[[], Awaitable[bool]]:
    if "exec" in spec:
        if run is None:
            raise UnsupportedError(f"{kind}: the image {container['image']} runs no commands from a manifest here")
        command = list(spec["exec"].get("command") or [])

        async def by_command() -> bool:
            return await run(command) == 0

        return by_command
    if "httpGet" in spec:
        where = spec["httpGet"]
        _only_here(where, pod_ip, kind)
        scheme = where.get("scheme", "HTTP").lower()
        url = f"{scheme}://{pod_ip}:{_port(container, where['port'])}/{where.get('path', '/').lstrip('/')}"
        headers = {entry["name"]: entry["value"] for entry in where.get("httpHeaders") or []}
        unverified = ssl.create_default_context()  # the kubelet does not verify either
        unverified.check_hostname = False
        unverified.verify_mode = ssl.CERT_NONE

        async def by_http() -> bool:
            async with (
                aiohttp.ClientSession(trust_env=False) as session,
                session.get(url, headers=headers, ssl=unverified, allow_redirects=False) as answer,
            ):
                return 200 <= answer.status < 400

        return by_http
    if "tcpSocket" in spec:
        _only_here(spec["tcpSocket"], pod_ip, kind)
        port = _port(container, spec["tcpSocket"]["port"])

        async def by_tcp() -> bool:
            _, writer = await asyncio.open_connection(pod_ip, port)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            return True

        return by_tcp
    raise UnsupportedError(f"{kind}: only httpGet, tcpSocket and exec can be done here")


def _only_here(where: Mapping[str, Any], pod_ip: str, kind: str) -> None:
    if where.get("host") not in (None, "", pod_ip):
        raise UnsupportedError(f"{kind}: probes go to the pod itself only")


def _port(container: Mapping[str, Any], port: int | str) -> int:
    if isinstance(port, int):
        return port
    for entry in container.get("ports") or []:
        if entry.get("name") == port:
            return int(entry["containerPort"])
    raise UnsupportedError(f"container {container['name']} has no port named {port}")
