"""`secure-redis verify` checks whether an installation works. It only reads, with the permissions of the operator."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from kubernetes.aio.config import ConfigException

from secure_redis.api import names
from secure_redis.cli.config import Config
from secure_redis.cli.served import NOT_INSTALLED
from secure_redis.kube import paths
from secure_redis.kube.client import ApiFailure, KubeClient, connect
from secure_redis.kube.lease import LeaseSettings

_READ_SECONDS: Final = 0.5
_MARGIN_SECONDS: Final = 5.0  # an API server under load; a hand-over takes a moment
_NAMED: Final = 10  # resources that a refusal names


class NotWell(Exception):
    """The installation does not work, or something prevents it; the text names what to do."""


async def verify(
    config: Config,
    kubeconfig: Path | None = None,
    context: str | None = None,
    *,
    no_resources: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Check the installation, and print what works.

    `no_resources`: check instead that no resource is left whose finalizer needs the operator.

    Raises:
        NotWell: it is not.
        InvalidConfig: the configuration names no namespace for the Lease.

    """
    try:
        client = KubeClient(await connect(kubeconfig, context))
    except ConfigException as error:
        raise NotWell(f"no API server to talk to: neither in a cluster nor a usable kubeconfig ({error})") from None
    try:
        if no_resources:
            await _none_left(client, config)
            say("no SecureRedisCache is left")
            return
        for namespace in config.namespaces or (None,):
            await _answered(client.get(paths.resources(namespace), {"limit": 1}), "SecureRedisCaches cannot be listed")
        say(f"the API server serves {names.PLURAL}.{names.GROUP}")
        lease = config.lease()
        if lease is None:
            say("leader election is off: this check cannot find out whether the operator works")
            return
        say(f"{await _leader(client, lease)} leads")
    finally:
        await client.close()


async def _none_left(client: KubeClient, config: Config) -> None:
    found: list[str] = []
    for namespace in config.namespaces or (None,):
        try:
            listed = await client.list(paths.resources(namespace))
        except ApiFailure as failure:
            if failure.status == 404:  # no CRD, so none of its objects
                return
            raise NotWell(f"SecureRedisCaches cannot be listed: {failure.message}") from None
        found += [f"{one['metadata']['namespace']}/{one['metadata']['name']}" for one in listed.items]
    if found:
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        raise NotWell(
            f"there are SecureRedisCaches: {', '.join(sorted(found)[:_NAMED])}{more}. With the CRD they would go, too,"
            " and those with a finalizer would wait for the operator. Delete them first (kubectl delete srcache),"
            " or keep the CRD (crds.keep: true)"
        )


async def _leader(client: KubeClient, lease: LeaseSettings) -> str:
    """Who leads: the Lease has a holder that renews it. The clocks of machines are not compared."""
    observed: tuple[str, str] | None = None
    until = time.monotonic() + lease.duration + _MARGIN_SECONDS
    while True:
        try:
            body: dict[str, Any] = await client.get(paths.lease(lease.namespace, lease.name))
        except ApiFailure as failure:
            if failure.status != 404:
                raise NotWell(f"the Lease {lease.name} cannot be read: {failure.message}") from None
            body = {}
        spec = body.get("spec") or {}
        holder, renewed = str(spec.get("holderIdentity") or ""), str(spec.get("renewTime") or "")
        if holder and observed is not None and observed[0] == holder and observed[1] != renewed:
            return holder
        observed = (holder, renewed)
        if time.monotonic() > until:
            problem = f"{holder} holds the Lease and does not renew it" if holder else "no one holds the Lease"
            where = f"kubectl -n {lease.namespace} logs -l app.kubernetes.io/name={names.MANAGER}"
            raise NotWell(f"no pod leads: {problem} ({lease.name}); see the pods' logs: {where}")
        await asyncio.sleep(_READ_SECONDS)


async def _answered(answer: Awaitable[object], what: str) -> None:
    try:
        await answer
    except ApiFailure as failure:
        why = NOT_INSTALLED if failure.status == 404 else failure.message
        raise NotWell(f"{what}: {why}") from None
