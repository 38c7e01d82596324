"""Runs the operator: it waits for the Lease, leads, waits for the CRD, makes passes, and ends in order."""

import asyncio
import asyncio.sslproto
import logging
import os
import random
import signal
import socket
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.config import ConfigException

from secure_redis.api import names
from secure_redis.api.resource import Key, key_of
from secure_redis.cli.compose import KubeClients, build_kube_clients, build_reconciler
from secure_redis.cli.config import Config
from secure_redis.cli.ending import LastResort
from secure_redis.cli.pass_events import PassEvents
from secure_redis.cli.served import Served
from secure_redis.cli.tasks import close, end, forever
from secure_redis.cli.watch_resources import ResourceWatch
from secure_redis.kube.client import ApiFailure, KubeClient, connect
from secure_redis.kube.events import EventRecorder
from secure_redis.kube.history import History, HistoryRewritten
from secure_redis.kube.lease import Elector, LeadershipLost, LeaseSettings
from secure_redis.kube.lease_thread import LeaseThread
from secure_redis.kube.namespaces import Namespaces
from secure_redis.kube.resources import Resources
from secure_redis.kube.streams import Streams
from secure_redis.kube.watches import SecretWatches, WorkloadWatches
from secure_redis.reconciler.brakes import Brakes
from secure_redis.reconciler.namespace_limits import NamespaceMembers
from secure_redis.reconciler.reconcile import Reconciler
from secure_redis.schedule.schedule import Schedule, Snapshot
from secure_redis.telemetry import logs
from secure_redis.telemetry.build import version
from secure_redis.telemetry.health import Health, HealthServer
from secure_redis.telemetry.loop_watch import LoopWatch
from secure_redis.telemetry.metrics import Metrics

Body = Mapping[str, Any]

_log = logging.getLogger(__name__)

_LONGEST_STALL = 60.0  # seconds of a blocked event loop until the process ends, without a Lease
_SILENCE = 30.0  # seconds; with a Lease a request is made every few seconds
LOST = 1  # exit code: leadership is lost; only a new process is in a known state
UNUSABLE = 2  # exit code: no API server to talk to, or no port to listen on
# Seconds until the process is ended even if a thread still runs.
_AFTER_LOSS = 5.0
_AFTER_HANG = 1.0  # the loop runs nothing any more: there is nothing to wait for
_AFTER_DRAIN = 10.0  # after a signal and the drain: the lease is given back meanwhile
_AFTER_ALL = 3.0  # when nothing is left that must be done in order


@dataclass(frozen=True, slots=True)
class Prepared:
    """A configuration all of whose files were read once, so that an error in it is reported before anything starts."""

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
    # asyncio keeps a read buffer of 256 KiB for every TLS connection; a record has 16 KiB. At 70 connections: 16 MiB.
    asyncio.sslproto.SSLProtocol.max_size = 16 * 1024
    stop, last = asyncio.Event(), LastResort()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        stop.set()
        last.within(config.intervals.drain_seconds + _AFTER_DRAIN, LOST)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    metrics, health = Metrics(), Health()
    try:
        apis = [await connect(kubeconfig, context) for _ in range(2)]
    except ConfigException as error:
        _log.error("no API server to talk to: neither in a cluster nor a usable kubeconfig", extra={"why": str(error)})
        return UNUSABLE
    server = HealthServer(health, lambda: tuple(metrics.families()), config.health.address, config.health.port)
    try:
        await server.start()
    except OSError as error:
        _log.error("the health server cannot listen", extra={"why": error.strerror})
        await close(apis)
        return UNUSABLE
    longest_stall = prepared.lease.longest_stall if prepared.lease is not None else _LONGEST_STALL
    watch = LoopWatch(metrics.loop_lag, longest_stall, lambda: last.within(_AFTER_HANG, LOST))
    health.alive["loop"] = watch.obstacle
    watch.start()
    code = LOST

    def connect_lease() -> Awaitable[ApiClient]:
        return connect(kubeconfig, context)

    try:
        process = _Process(prepared, apis, connect_lease, metrics, health, watch, stop, last)
        code = await process.live()
        return code
    finally:
        last.within(_AFTER_ALL, code)
        watch.stop()
        await server.stop()
        await close(apis)


class _Process:
    """One process, from standby to its end. It has three sessions: for passes, for kopf, and for the elector's thread.

    The last one is made in that thread, by `connect_lease`.
    """

    def __init__(
        self,
        prepared: Prepared,
        apis: Sequence[ApiClient],
        connect_lease: Callable[[], Awaitable[ApiClient]],
        metrics: Metrics,
        health: Health,
        watch: LoopWatch,
        stop: asyncio.Event,
        last: LastResort,
    ) -> None:
        self._config = prepared.config
        self._lease = prepared.lease
        self._namespaces = prepared.config.namespaces  # empty: all
        self._drain = prepared.config.intervals.drain_seconds
        self._api, self._kopf_api = apis
        self._connect_lease = connect_lease
        self._metrics = metrics
        self._watch = watch
        self._stop = stop
        self._last = last
        self._identity = f"{os.environ.get('POD_NAME') or socket.gethostname()}_{uuid.uuid4().hex[:8]}"
        self._served = Served(self._namespaces)
        self._members = NamespaceMembers(self._config.limits.as_domain())
        self._answered: float | None = None  # when the API server last answered anything, by the monotonic clock
        self._streams = Streams()
        health.ready["kubernetes"] = self._unreachable
        health.ready["watches"] = self._streams.missing
        health.ready["resources"] = self._served.obstacle

    async def live(self) -> int:
        """Wait for the Lease, lead, end."""
        own = self._config.operator_identity
        fields = {
            "version": version(),
            "cloud": self._config.cloud.name,
            "namespaces": list(self._namespaces) or "all",
            "identity": self._identity,
            "azureIdentity": f"{own.type} {own.client_id}" if own is not None else "none of its own",
        }
        _log.info("the operator starts", extra=fields)
        checking = asyncio.create_task(self._served.watch(self._client(self._api, lambda: None)), name="check the CRD")
        try:
            return await self._wait_and_lead()
        finally:
            await end(checking)

    async def _wait_and_lead(self) -> int:
        if self._lease is None:
            return await self._lead(None, None)
        lease = self._lease
        thread = LeaseThread(lambda: self._elector(lease), self._end_soon)
        self._metrics.leading(names.MANAGER, False)
        try:
            elector = await thread.start()
            acquiring = asyncio.create_task(thread.acquire(), name="acquire the lease")
            try:
                if await self._stopped_before(acquiring):
                    return 0
                return await self._lead(thread, elector)
            finally:
                await thread.release()
        finally:
            await thread.stop()

    async def _elector(self, lease: LeaseSettings) -> Elector:
        return Elector(
            self._client(await self._connect_lease(), lambda: None),
            self._identity,
            lease,
            on_change=lambda leads: self._metrics.leading(names.MANAGER, leads),
            lag=lambda: self._watch.lag,
        )

    async def _lead(self, thread: LeaseThread | None, elector: Elector | None) -> int:
        history = History()

        def fence() -> None:
            history.check()
            if elector is not None:
                elector.check()

        client = self._client(self._api, fence, history)
        rewritten = asyncio.create_task(history.rewritten(), name="notice a restore")
        holding = asyncio.create_task(thread.hold() if thread is not None else forever(), name="hold the lease")
        brakes = self._brakes(elector)
        if elector is not None:
            elector.annotations = brakes.annotations
        working = asyncio.create_task(self._work(client, brakes), name="work")
        try:
            # After a signal the work ends by itself; until it has, the Lease is kept and the fence open.
            await asyncio.wait({holding, rewritten, working}, return_when=asyncio.FIRST_COMPLETED)
            return working.result() if working.done() else self._lost()
        except (LeadershipLost, HistoryRewritten):
            return self._lost()
        finally:
            await end(holding, rewritten, working)

    def _brakes(self, elector: Elector | None) -> Brakes:
        return Brakes(
            self._config.brakes.limits(),
            version=version(),
            recorded=elector.recorded if elector is not None else None,
            monotonic=time.monotonic,
            metrics=self._metrics,
        )

    def _lost(self) -> int:
        self._end_soon()
        return LOST

    def _end_soon(self) -> None:
        """End the process soon, whatever a pass or a thread waits for: a former leader must not stay."""
        self._last.within(_AFTER_LOSS, LOST)

    async def _work(self, client: KubeClient, brakes: Brakes) -> int:
        """Run passes until the signal; then start no new ones, wait for the last ones, and end the streams."""
        clients = self._kube_clients(client)
        self._served.healed = clients.resources.forget_dropped
        if not await self._reachable(clients.namespaces):
            return 0
        events = PassEvents(self._metrics, self._members, clients.events)
        async with build_reconciler(
            self._config,
            clients,
            self._metrics,
            brakes=brakes,
            members=self._members,
            fence=client.check,
            written=events.written,
            probed=events.probed,
        ) as reconciler:
            schedule = self._schedule(clients.resources, reconciler, events)
            watches = self._watches(client, clients, events)
            events.connect(schedule, reconciler, watches)
            for one in watches:
                await one.start()
            try:
                await self._run_passes(client, schedule, events)
            finally:
                for one in watches:
                    await one.stop()
        return 0

    def _schedule(self, resources: Resources, reconciler: Reconciler, events: PassEvents) -> Schedule:
        schedule = Schedule(
            reconciler.run_pass,
            check_steady=reconciler.check_steady,
            backoff=self._config.backoff(),
            relist=lambda: self._relist(resources, schedule),
            read=resources.get,
            reports=reconciler.unobserved,
            fatal=(LeadershipLost, HistoryRewritten),
            on_gone=events.gone,
            on_pass=events.passed,
            on_namespaces=events.namespaces,
        )
        return schedule

    def _kube_clients(self, client: KubeClient) -> KubeClients:
        install = self._lease.install if self._lease is not None else None
        resources = Resources(client, self._served.dropped, install)
        return build_kube_clients(
            self._config, client, resources, EventRecorder(client, self._identity, time.monotonic)
        )

    def _watches(
        self, client: KubeClient, clients: KubeClients, events: PassEvents
    ) -> tuple[SecretWatches, WorkloadWatches]:
        config = self._config
        cluster_wide = not self._namespaces
        return (
            SecretWatches(
                client,
                clients.secrets.store,
                events.secret_changed,
                mode=config.secrets.watch,
                cluster_wide=cluster_wide,
            ),
            WorkloadWatches(
                client,
                events.workload_changed,
                clients.workloads.injections,
                enabled=config.workloads.enabled,
                cluster_wide=cluster_wide,
            ),
        )

    async def _run_passes(self, client: KubeClient, schedule: Schedule, events: PassEvents) -> None:
        passes = asyncio.create_task(schedule.run(drain=self._drain), name="passes")
        watch = ResourceWatch(
            client,
            self._kopf_api.configuration,
            self._namespaces,
            self._served,
            self._streams,
            events,
        )
        watching = asyncio.create_task(watch.run(), name="watch resources")
        stopping = asyncio.create_task(self._stop.wait(), name="wait for a signal")
        try:
            await asyncio.wait({passes, watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
            schedule.stop()
            await passes
            if watching.done():
                watching.result()
        finally:
            await end(passes, watching, stopping)

    async def _relist(self, resources: Resources, schedule: Schedule) -> AsyncIterator[Snapshot]:
        present = set[Key]()
        async for page in resources.pages(self._namespaces, schedule.versions()):
            present.update(map(key_of, page.items))
            yield Snapshot(page.items, page.resource_version)
        self._members.keep(present)

    async def _reachable(self, namespaces: Namespaces) -> bool:
        """Wait until this cluster's uid is known; False if the process is to stop before."""
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

    def _client(self, api: ApiClient, fence: Callable[[], None], history: History | None = None) -> KubeClient:
        host = str(api.configuration.host)

        def note(method: str, status: int, seconds: float) -> None:
            if status > 0:
                self._answered = time.monotonic()
            self._metrics.kube_request(host, method, status, seconds)

        limit = self._config.concurrency.kubernetes_requests
        return KubeClient(api, fence=fence, on_request=note, limit=limit, streams=self._streams, history=history)

    def _unreachable(self) -> str | None:
        """Return why this process is not ready. A standby is ready while it reaches the API server."""
        if self._answered is None:
            return "the API server has not answered yet"
        if self._lease is not None and time.monotonic() - self._answered > _SILENCE:
            return "the API server does not answer"
        return None
