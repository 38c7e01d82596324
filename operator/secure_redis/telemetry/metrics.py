"""Prometheus metrics, with the usual names where those apply. No series outlives its resource."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric

from secure_redis.api.resource import Key
from secure_redis.api.status import Status
from secure_redis.telemetry.build import version
from secure_redis.telemetry.collectors import (
    Ages,
    ObservationCollector,
    ResourceCollector,
    WaitingCollector,
)
from secure_redis.telemetry.rendering import Family, select
from secure_redis.telemetry.resource_state import ResourceState

CONTROLLER: Final = "secureredis"
_SERIES: Final = 1000  # of a family, that are rendered at the same time
_PASS_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_LAG_SECONDS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_REQUEST_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class _ControllerMetrics:
    """The names of controller-runtime, which dashboards for operators use."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.passes = Counter(
            "controller_runtime_reconcile_total",
            "Reconciles by result: success, blocked (not Ready until a person acts), error.",
            ("controller", "result"),
            registry=registry,
        )
        self.errors = Counter(
            "controller_runtime_reconcile_errors_total",
            "Reconciles that failed. The operator repeats them.",
            ("controller",),
            registry=registry,
        )
        self.seconds = Histogram(
            "controller_runtime_reconcile_time_seconds",
            "Duration of a reconcile.",
            ("controller",),
            buckets=_PASS_SECONDS,
            registry=registry,
        ).labels(CONTROLLER)
        self.leader = Gauge(
            "leader_election_master_status",
            "1 while this process leads, else 0.",
            ("name",),
            registry=registry,
        )


class _KubernetesMetrics:
    """Requests to the Kubernetes API server."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "rest_client_requests_total",
            "Requests to the API server of Kubernetes, by method and status code (<error>: no response).",
            ("code", "method", "host"),
            registry=registry,
        )
        self.seconds = Histogram(
            "rest_client_request_duration_seconds",
            "Response time of the API server of Kubernetes.",
            ("verb", "host"),
            buckets=_REQUEST_SECONDS,
            registry=registry,
        )


class _One:
    """A registry with one family, for the text format."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterable[Metric]:
        """Return the family."""
        return (self._family,)


def _text(family: Metric) -> bytes:
    """Return the text of a family, made of a part of its series at a time: all their lines take twice their text."""
    series, parts = iter(family.samples), list[bytes]()
    while not parts or family.samples:
        family.samples = list(islice(series, _SERIES))
        text = generate_latest(_One(family))
        parts.append(text if not parts else text.split(b"\n", 2)[2])  # without the lines HELP and TYPE
    return b"".join(parts)


class _PassMetrics:
    """The build, what starts its passes, and how late their event loop runs."""

    def __init__(self, registry: CollectorRegistry) -> None:
        build = Gauge("secureredis_build_info", "Always 1. The label has the version.", ("version",), registry=registry)
        build.labels(version()).set(1)
        self.triggers = Counter(
            "secureredis_passes_total",
            "Reconciles by trigger and result (success, blocked, error).",
            ("trigger", "result"),
            registry=registry,
        )
        self.loop_lag = Histogram(
            "secureredis_event_loop_lag_seconds",
            "How late the event loop of the reconciles ran a timer. From 1 s on, the log names the code.",
            buckets=_LAG_SECONDS,
            registry=registry,
        )


class _AzureMetrics:
    """Requests to Azure."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "secureredis_azure_requests_total",
            "Requests to Azure, by service (arm, keyvault, entra), operation and status code (0: no response).",
            ("service", "operation", "code"),
            registry=registry,
        )
        self.seconds = Histogram(
            "secureredis_azure_request_duration_seconds",
            "Response time of Azure.",
            ("service",),
            buckets=_REQUEST_SECONDS,
            registry=registry,
        )
        self.throttled = Counter(
            "secureredis_azure_throttled_total",
            "Responses of Azure with the status 429.",
            ("service",),
            registry=registry,
        )


class _EffectMetrics:
    """Writes, probes, and what the brakes hold back."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.writes = Counter(
            "secureredis_writes_total",
            "Audited writes, by action and result (done, or a reason).",
            ("action", "result"),
            registry=registry,
        )
        self.tampering = Counter(
            "secureredis_tampering_total",
            "Published Secrets and injected workloads that another process changed and the operator restored.",
            registry=registry,
        )
        self.probes = Counter(
            "secureredis_endpoint_probes_total",
            "Probes of endpoints, by result: complete, partial (not all checks were possible), unreachable.",
            ("result",),
            registry=registry,
        )
        self.brakes = Gauge(
            "secureredis_brake_engaged",
            "1 while a brake (ReadOnly, MassDrift) blocks all resources, else 0.",
            ("brake",),
            registry=registry,
        )
        self.braked = Counter(
            "secureredis_brake_held_total",
            "Reconciles that a brake blocked, by reason (ReadOnly, FirstLook, MassDrift, Capped).",
            ("reason",),
            registry=registry,
        )


class _QueueMetrics:
    """The number of resources, and of passes that wait."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.known = Gauge("secureredis_resources", "Resources that the operator knows.", registry=registry)
        self.waiting = Gauge(
            "secureredis_passes_waiting", "Reconciles that are due and wait for a free place.", registry=registry
        )


class Metrics:
    """All metrics of one process, in a registry of its own."""

    def __init__(self) -> None:
        # A time per counter, which no alert and no panel uses.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._resources: dict[Key, ResourceState] = {}
        self._by_outcome: dict[tuple[str, str], tuple[Counter, ...]] = {}
        # The registry shows the families in the order in which they are made.
        self._controller = _ControllerMetrics(self.registry)
        self._kubernetes = _KubernetesMetrics(self.registry)
        self._passes = _PassMetrics(self.registry)
        self._azure = _AzureMetrics(self.registry)
        self._effects = _EffectMetrics(self.registry)
        self._queue = _QueueMetrics(self.registry)
        self.registry.register(ResourceCollector(self._resources))
        self._observations = ObservationCollector()
        self.registry.register(self._observations)
        self._waiting = WaitingCollector()
        self.registry.register(self._waiting)
        ProcessCollector(registry=self.registry)

    # --- events -----------------------------------------------------------------------------------------------------

    def _counters(self, trigger: str, result: str) -> tuple[Counter, ...]:
        """Find the counters of an outcome, once: finding labels is a third of what a steady pass costs."""
        found = self._by_outcome.get((trigger, result))
        if found is None:
            found = (
                self._controller.passes.labels(CONTROLLER, result),
                self._passes.triggers.labels(str(trigger), result),
            )
            self._by_outcome[trigger, result] = found
        return found

    def passed(self, key: Key, trigger: str, result: str, seconds: float, *, at: float | None) -> None:
        """Count a pass that ended; `at`: seconds since the epoch, None where the pass failed and is tried again."""
        for counter in self._counters(trigger, result):
            counter.inc()
        self._controller.seconds.observe(seconds)
        if result == "error":
            self._controller.errors.labels(CONTROLLER).inc()
        if at is not None:
            self._resources.setdefault(key, ResourceState()).last_pass = at

    def report(self, key: Key, status: Status, drift_interval: float) -> None:
        """Take over a resource's status. `drift_interval`: seconds, where the status has no effective one."""
        before = self._resources.get(key, ResourceState())
        state = ResourceState(last_pass=before.last_pass, last_probe=before.last_probe)
        state.take_over(status)
        effective = status.effective
        state.drift_interval = float(effective.interval_seconds) if effective is not None else drift_interval
        self._resources[key] = state  # as a whole: a thread may be rendering

    def probed(self, keys: Iterable[Key], result: str, at: datetime) -> None:
        """Count a probe of an endpoint, for these resources."""
        self._effects.probes.labels(result).inc()
        for key in keys:
            if key in self._resources:  # else it is gone, or had no pass yet
                self._resources[key].last_probe = at.timestamp()

    def forget(self, key: Key) -> None:
        """Drop the series of a resource that is gone."""
        self._resources.pop(key, None)

    def kube_request(self, host: str, method: str, code: int, seconds: float) -> None:
        """Count a request to the API server; `code` 0: no answer."""
        self._kubernetes.requests.labels(str(code) if code else "<error>", method, host).inc()
        if method != "WATCH":
            self._kubernetes.seconds.labels(method, host).observe(seconds)

    def azure_request(self, service: str, operation: str, status: int, seconds: float) -> None:
        """Count a request to Azure; `status` 0: no answer."""
        self._azure.requests.labels(service, operation, str(status)).inc()
        self._azure.seconds.labels(service).observe(seconds)
        if status == 429:
            self._azure.throttled.labels(service).inc()

    def watch_observations(self, ages: Ages) -> None:
        """Set the source of the counts of kept observations, by kind, and of the age of the oldest in seconds."""
        self._observations.ages = ages

    def watch_waiting(self, waiting: Callable[[], Mapping[str, int]]) -> None:
        """Set the source of the counts of waiting passes, by namespace."""
        self._waiting.waiting = waiting

    def wrote(self, action: str, result: str) -> None:
        """Count an audited write."""
        self._effects.writes.labels(action, result).inc()

    def tampered(self) -> None:
        """Count a Secret or a workload that another party changed and the operator restored."""
        self._effects.tampering.inc()

    def brake(self, name: str, engaged: bool) -> None:
        """Show whether a brake is engaged."""
        self._effects.brakes.labels(name).set(float(engaged))

    def brake_blocked(self, reason: str) -> None:
        """Count a pass that a brake blocked."""
        self._effects.braked.labels(str(reason)).inc()

    def leading(self, name: str, leads: bool) -> None:
        """Show whether this process leads."""
        self._controller.leader.labels(name).set(float(leads))

    def queue(self, known: int, waiting: int) -> None:
        """Show how many resources are known and how many passes wait."""
        self._queue.known.set(known)
        self._queue.waiting.set(waiting)

    def loop_lag(self, seconds: float) -> None:
        """Count how late the event loop ran."""
        self._passes.loop_lag.observe(seconds)

    def families(self) -> Iterator[Family]:
        """Render the text format of Prometheus, family by family. Any thread may call it."""
        for family in self.registry.collect():
            yield Family(family.name, _text(family))

    def render(self, names: Iterable[str] = ()) -> bytes:
        """Render the text format of Prometheus; only the families that contain one of `names`, where some are given."""
        return b"".join(select(self.families(), names))
