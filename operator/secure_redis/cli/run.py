"""The operator's life: stand by, lead, wait for the CRD, pass after pass, and an orderly end."""

import asyncio
import asyncio.sslproto
import logging
import os
import random
import signal
import socket
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.config import ConfigException
from pydantic import ValidationError

from secure_redis import controller
from secure_redis.api import names
from secure_redis.api.resource import Key, key_of
from secure_redis.api.status import Status
from secure_redis.cli.compose import KubeClients, build_reconciler
from secure_redis.cli.config import Config
from secure_redis.cli.ending import LastResort
from secure_redis.cli.served import Served
from secure_redis.cli.tasks import close, end, forever
from secure_redis.kube import paths
from secure_redis.kube.client import ApiFailure, KubeClient, connect
from secure_redis.kube.events import EventRecorder
from secure_redis.kube.foreign_secrets import ForeignSecrets
from secure_redis.kube.lease import Elector, LeadershipLost, LeaseSettings
from secure_redis.kube.namespaces import Namespaces
from secure_redis.kube.resources import Resources
from secure_redis.kube.secrets import Secrets
from secure_redis.kube.service_accounts import ServiceAccounts
from secure_redis.kube.watches import SecretWatches, WorkloadWatches
from secure_redis.kube.workloads.client import Workloads
from secure_redis.kube.workloads.config_maps import ConfigMaps
from secure_redis.reconciler.brakes import Brakes
from secure_redis.reconciler.namespace_limits import NamespaceMembers, count
from secure_redis.schedule.schedule import Schedule, Snapshot, Trigger
from secure_redis.telemetry import logs
from secure_redis.telemetry.build import version
from secure_redis.telemetry.health import Health, HealthServer
from secure_redis.telemetry.metrics import Metrics

Body = Mapping[str, Any]

_log = logging.getLogger(__name__)

_SILENCE = 30.0  # seconds; with a Lease something is asked every few seconds
LOST = 1  # exit code: leadership is lost, only a fresh process is in a known state
UNUSABLE = 2  # exit code: no API server to talk to, or no port to listen on
# Seconds until the process is ended though something still holds it.
_AFTER_LOSS = 5.0
_AFTER_DRAIN = 10.0  # after a signal and the drain: the lease is given back meanwhile
_AFTER_ALL = 3.0  # when nothing is left that must be done in order
_KOPF = 2.0  # seconds for kopf's end, on which nothing depends


@dataclass(frozen=True, slots=True)
class Prepared:
    """A configuration all of whose files were read once: what is wrong with it is said before anything starts."""

    config: Config
    lease: LeaseSettings | None


def prepare(config: Config) -> Prepared:
    """Check what needs the environment or files.

    Raises:
        InvalidConfig: naming the place.

    """
    config.credential()
    config.tls()
    config.published_ca()
    return Prepared(config, config.lease())


async def operate(prepared: Prepared, kubeconfig: Path | None = None, context: str | None = None) -> int:
    """Run until SIGTERM or SIGINT, or until leadership is lost. Returns the exit code."""
    config = prepared.config
    logs.setup(config.logging.level)
    # asyncio keeps a read buffer of 256 KiB for every TLS connection; a record has 16 KiB. At 70 connections: 13 MiB.
    asyncio.sslproto.SSLProtocol.max_size = 64 * 1024
    stop, last = asyncio.Event(), LastResort()
    loop = asyncio.get_running_loop()

    def told_to_end() -> None:
        stop.set()
        last.within(config.intervals.drain_seconds + _AFTER_DRAIN, LOST)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_end)
    metrics, health = Metrics(), Health()
    try:
        apis = [await connect(kubeconfig, context) for _ in range(3)]
    except ConfigException as error:
        _log.error("no API server to talk to: neither in a cluster nor a usable kubeconfig", extra={"why": str(error)})
        return UNUSABLE
    server = HealthServer(health, metrics.render, config.health.address, config.health.port)
    try:
        await server.start()
    except OSError as error:
        _log.error("the health server cannot listen", extra={"why": error.strerror})
        await close(apis)
        return UNUSABLE
    code = LOST
    try:
        code = await _Life(prepared, apis, metrics, health, stop, last).live()
        return code
    finally:
        last.within(_AFTER_ALL, code)
        await server.stop()
        await close(apis)


class _Life:
    """One process's life, from standby to its end. Three sessions: ours, the elector's, and kopf's own."""

    def __init__(
        self,
        prepared: Prepared,
        apis: Sequence[ApiClient],
        metrics: Metrics,
        health: Health,
        stop: asyncio.Event,
        last: LastResort,
    ) -> None:
        self._config = prepared.config
        self._lease = prepared.lease
        self._api, self._lease_api, self._kopf_api = apis
        self._metrics = metrics
        self._health = health
        self._stop = stop
        self._last = last
        self._identity = f"{os.environ.get('POD_NAME') or socket.gethostname()}_{uuid.uuid4().hex[:8]}"
        self._served = Served(self._config.namespaces)
        self._members = NamespaceMembers(self._config.limits.as_domain())
        self._answered: float | None = None  # when the API server last answered anything, by the monotonic clock
        health.ready["kubernetes"] = self._unreachable
        health.ready["resources"] = self._served.obstacle

    async def live(self) -> int:
        """Stand by, lead, end."""
        looking = asyncio.create_task(self._served.watch(self._client(self._api, lambda: None)), name="look at the CRD")
        try:
            return await self._stand_and_lead()
        finally:
            await end(looking)

    async def _stand_and_lead(self) -> int:
        if self._lease is None:
            return await self._lead(None)
        elector = Elector(
            self._client(self._lease_api, lambda: None),
            self._identity,
            self._lease,
            on_change=lambda leads: self._metrics.leading(names.MANAGER, leads),
        )
        self._metrics.leading(names.MANAGER, False)
        acquiring = asyncio.create_task(elector.acquire(), name="acquire the lease")
        try:
            if await self._stopped_before(acquiring):
                return 0
            return await self._lead(elector)
        finally:
            await elector.release()

    async def _lead(self, elector: Elector | None) -> int:
        client = self._client(self._api, elector.check if elector is not None else lambda: None)
        holding = asyncio.create_task(elector.hold() if elector is not None else forever(), name="hold the lease")
        brakes = Brakes(
            self._config.brakes.limits(),
            version=version(),
            recorded=elector.recorded if elector is not None else None,
            monotonic=time.monotonic,
            told=self._metrics,
        )
        if elector is not None:
            elector.annotations = brakes.annotations
        working = asyncio.create_task(self._work(client, brakes), name="work")
        try:
            # After a signal the work ends by itself; until it has, the lease is held and the fence open.
            await asyncio.wait({holding, working}, return_when=asyncio.FIRST_COMPLETED)
            return working.result() if working.done() else self._lost()
        except LeadershipLost:
            return self._lost()
        finally:
            await end(holding, working)

    def _lost(self) -> int:
        """Whatever a pass or a thread waits for then, a former leader does not linger."""
        self._last.within(_AFTER_LOSS, LOST)
        return LOST

    async def _work(self, client: KubeClient, brakes: Brakes) -> int:
        """Passes, until the signal. Then: no new ones, the last ones drained, the streams ended."""
        config, intervals = self._config, self._config.intervals
        clients = KubeClients(
            resources=Resources(client, self._served.dropped, self._lease.install if self._lease is not None else None),
            secrets=Secrets(client),
            workloads=Workloads(client, enabled=config.workloads.enabled),
            accounts=ServiceAccounts(client, time.monotonic, intervals.service_account_seconds),
            namespaces=Namespaces(client, time.monotonic),
            events=EventRecorder(client, self._identity, time.monotonic),
            config_maps=ConfigMaps(client, time.monotonic, intervals.children_max_age_seconds),
            foreign_secrets=ForeignSecrets(
                client,
                time.monotonic,
                enabled=config.compliance.foreign_secrets,
                ttl=intervals.children_max_age_seconds,
            ),
        )
        self._served.healed = clients.resources.forget_dropped
        if not await self._reachable(clients.namespaces):
            return 0

        def written(key: Key, body: Body) -> None:
            self._measure(key, body)
            schedule.written(key, body)

        def probed(key: Key) -> None:
            schedule.wake(key, None, Trigger.PROBE)

        async with build_reconciler(
            config,
            clients,
            self._metrics,
            brakes=brakes,
            members=self._members,
            fence=client.check,
            written=written,
            probed=probed,
        ) as reconciler:

            def gone(key: Key) -> None:
                reconciler.forget(key)
                self._members.forget(key)
                clients.events.forget(key)
                self._metrics.forget(key)

            def passed(key: Key, trigger: Trigger, result: str, seconds: float) -> None:
                self._metrics.passed(key, trigger, result, seconds, at=time.time())
                self._metrics.queue(schedule.resources, schedule.depth)
                level = logging.DEBUG if trigger is Trigger.CLOCK and result == "success" else logging.INFO
                told = {"resource": str(key), "trigger": trigger, "result": result, "seconds": round(seconds, 3)}
                _log.log(level, "pass ended", extra=told)

            def spread(namespaces: set[str]) -> None:
                watches.set_namespaces(namespaces)
                workloads.set_namespaces(namespaces)

            schedule = Schedule(
                reconciler.run_pass,
                look=reconciler.check_steady,
                backoff=config.backoff(),
                relist=lambda: self._relist(client),
                fatal=(LeadershipLost,),
                on_gone=gone,
                on_pass=passed,
                on_namespaces=spread,
            )
            watches = SecretWatches(
                client,
                clients.secrets.store,
                lambda key: schedule.wake(key, None, Trigger.SECRET),
                mode=config.secrets.watch,
                cluster_wide=not config.namespaces,
            )
            workloads = WorkloadWatches(
                client,
                lambda key: schedule.wake(key, None, Trigger.WORKLOAD),
                enabled=config.workloads.enabled,
                cluster_wide=not config.namespaces,
            )
            await watches.start()
            await workloads.start()
            passes = asyncio.create_task(schedule.run(drain=intervals.drain_seconds), name="passes")
            watching = asyncio.create_task(self._watch(client, schedule), name="watch resources")
            stopping = asyncio.create_task(self._stop.wait(), name="wait for a signal")
            try:
                await asyncio.wait({passes, watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
                schedule.stop()
                await passes
                if watching.done():
                    watching.result()
                return 0
            finally:
                await end(passes, watching, stopping)
                await watches.stop()
                await workloads.stop()

    async def _watch(self, client: KubeClient, schedule: Schedule) -> None:
        """Kopf in a thread of its own, as often as it takes: without CRD or rights waiting is right, not crashing."""
        loop = asyncio.get_running_loop()

        def told(kind: str | None, body: Body) -> None:
            if kind != "DELETED":
                self._members.put(body)
                self._measure(key_of(body), body)
            schedule.event(kind, body)

        while True:
            if not await self._served.look(client):
                await asyncio.sleep(random.uniform(3.0, 5.0))  # noqa: S311 - jitter
                continue
            await count(self._members, client, self._config.namespaces)
            flag = controller.StopFlag()
            thread = asyncio.create_task(
                asyncio.to_thread(
                    controller.watch,
                    lambda kind, body: _post(loop, told, kind, body),
                    self._kopf_api.configuration,
                    self._config.namespaces,
                    flag,
                ),
                name="kopf",
            )
            try:
                await asyncio.shield(thread)
                _log.warning("the watch of resources ended; it is started again")
            except asyncio.CancelledError:
                flag.set()
                await asyncio.wait({thread}, timeout=_KOPF)
                raise
            except Exception as error:
                _log.warning("the watch of resources ended", extra={"error": type(error).__name__})
            finally:
                flag.set()
            await asyncio.sleep(random.uniform(1.0, 3.0))  # noqa: S311 - jitter

    async def _relist(self, client: KubeClient) -> Snapshot:
        listed = [await client.list(paths.resources(namespace)) for namespace in self._config.namespaces or (None,)]
        # The first list is the oldest: what is newer than it is not judged by its absence.
        items = [item for page in listed for item in page.items]
        self._members.keep(items)
        return Snapshot(items, listed[0].resource_version)

    async def _reachable(self, namespaces: Namespaces) -> bool:
        """Wait until this cluster's uid is known; False if we are to stop before."""
        while not self._stop.is_set():
            try:
                await namespaces.cluster_uid()
            except ApiFailure as failure:
                _log.warning("waiting: the uid of kube-system cannot be read", extra={"why": failure.message})
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), random.uniform(3.0, 5.0))  # noqa: S311 - jitter
            else:
                return True
        return False

    async def _stopped_before(self, task: "asyncio.Task[None]") -> bool:
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return self._stop.is_set()
        finally:
            await end(task, stopping)

    def _client(self, api: ApiClient, fence: Callable[[], None]) -> KubeClient:
        host = str(api.configuration.host)

        def note(method: str, status: int, seconds: float) -> None:
            if status > 0:
                self._answered = time.monotonic()
            self._metrics.kube_request(host, method, status, seconds)

        return KubeClient(api, fence=fence, on_request=note, limit=self._config.concurrency.kubernetes_requests)

    def _unreachable(self) -> str | None:
        """Why this process is not ready: a standby is, as long as it can reach the API server (it renews or waits)."""
        if self._answered is None:
            return "the API server has not answered yet"
        if self._lease is not None and time.monotonic() - self._answered > _SILENCE:
            return "the API server does not answer"
        return None

    def _measure(self, key: Key, body: Body) -> None:
        with suppress(ValidationError):  # written by another version: the next status is ours
            self._metrics.report(key, Status.model_validate(body.get("status") or {}))


def _post(
    loop: asyncio.AbstractEventLoop, told: Callable[[str | None, Body], None], kind: str | None, body: Body
) -> None:
    with suppress(RuntimeError):  # the loop has ended before kopf did
        loop.call_soon_threadsafe(told, kind, body)
