"""Prometheus metrics: names that dashboards know where they are honest. None outlives its resource."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from secure_redis.api.resource import Key
from secure_redis.api.status import UNDER_WAY, Status
from secure_redis.telemetry.build import version

CONTROLLER: Final = "secureredis"
_PASS_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_REQUEST_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_PER_RESOURCE: Final = ("namespace", "name")
_STATUSES: Final = ("True", "False", "Unknown")


@dataclass(slots=True)
class _Seen:
    """What is told of one resource."""

    conditions: tuple[tuple[str, str], ...] | None = None  # type, status
    drift: float = 0.0
    findings: tuple[tuple[str, float], ...] = ()
    last_pass: float | None = None
    last_probe: float | None = None
    certificate_ends: float | None = None
    rotating_since: float | None = None


class _PerResource(Collector):
    """The series of resources, made when they are asked for: a gauge's child for each costs 22 KiB a resource."""

    def __init__(self, resources: Mapping[Key, _Seen]) -> None:
        self._resources = resources

    def collect(self) -> Iterable[Metric]:
        """All series as they stand."""
        condition = GaugeMetricFamily(
            "secureredis_status_condition",
            "1 for the status (True, False, Unknown) a condition of a resource has, else 0.",
            labels=(*_PER_RESOURCE, "type", "status"),
        )
        drift = GaugeMetricFamily(
            "secureredis_drift", "Fields of a resource that differ from Azure.", labels=_PER_RESOURCE
        )
        findings = GaugeMetricFamily(
            "secureredis_findings",
            "Rules of a resource by result (Pass, Fail, Unknown).",
            labels=(*_PER_RESOURCE, "result"),
        )
        last_pass = GaugeMetricFamily(
            "secureredis_last_successful_pass_timestamp_seconds",
            "When a pass over a resource last succeeded. A time, so that it keeps ageing while the operator is down.",
            labels=_PER_RESOURCE,
        )
        last_probe = GaugeMetricFamily(
            "secureredis_endpoint_last_probe_timestamp_seconds",
            "When a resource's endpoint was last probed by this process. A time, as above.",
            labels=_PER_RESOURCE,
        )
        certificate = GaugeMetricFamily(
            "secureredis_certificate_not_after_timestamp_seconds",
            "When the certificate that a resource's endpoint presents ends.",
            labels=_PER_RESOURCE,
        )
        rotating = GaugeMetricFamily(
            "secureredis_rotation_started_timestamp_seconds",
            "When the rotation of a resource's key that is under way began; absent while none is.",
            labels=_PER_RESOURCE,
        )
        for key, observed in self._resources.items():
            where = (key.namespace, key.name)
            if observed.conditions is not None:
                drift.add_metric(where, observed.drift)
                for kind, status in observed.conditions:
                    for value in _STATUSES:
                        condition.add_metric((*where, kind, value), float(status == value))
            for result, count in observed.findings:
                findings.add_metric((*where, result), count)
            if observed.last_pass is not None:
                last_pass.add_metric(where, observed.last_pass)
            if observed.last_probe is not None:
                last_probe.add_metric(where, observed.last_probe)
            if observed.certificate_ends is not None:
                certificate.add_metric(where, observed.certificate_ends)
            if observed.rotating_since is not None:
                rotating.add_metric(where, observed.rotating_since)
        return condition, drift, findings, last_pass, last_probe, certificate, rotating

    def describe(self) -> Iterable[Metric]:
        """Names for the registry, without walking the resources."""
        return _PerResource({}).collect()


Ages = Callable[[], Mapping[str, tuple[int, float]]]


class _Observations(Collector):
    """How old what was read around the caches is, told when it is asked for."""

    def __init__(self) -> None:
        self.ages: Ages = dict

    def collect(self) -> Iterable[Metric]:
        """Both series by kind."""
        held = GaugeMetricFamily(
            "secureredis_observations", "Answers about what stands around caches that are kept.", labels=("kind",)
        )
        oldest = GaugeMetricFamily(
            "secureredis_observation_age_seconds", "Age of the oldest of them.", labels=("kind",)
        )
        for kind, (count, age) in self.ages().items():
            held.add_metric((kind,), float(count))
            oldest.add_metric((kind,), age)
        return held, oldest

    def describe(self) -> Iterable[Metric]:
        """Names for the registry."""
        return _Observations().collect()


class Metrics:
    """All metrics of one process, in a registry of its own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._resources: dict[Key, _Seen] = {}
        self._by_outcome: dict[tuple[str, str], tuple[Counter, ...]] = {}

        # Names of controller-runtime, which dashboards for operators look for.
        self._passes = Counter(
            "controller_runtime_reconcile_total",
            "Passes over resources, by result (success, error).",
            ("controller", "result"),
            registry=registry,
        )
        self._pass_errors = Counter(
            "controller_runtime_reconcile_errors_total",
            "Passes that failed and are tried again.",
            ("controller",),
            registry=registry,
        )
        self._pass_seconds = Histogram(
            "controller_runtime_reconcile_time_seconds",
            "How long a pass took.",
            ("controller",),
            buckets=_PASS_SECONDS,
            registry=registry,
        )
        self._pass_duration = self._pass_seconds.labels(CONTROLLER)
        self._leader = Gauge(
            "leader_election_master_status",
            "1 while this process leads, else 0.",
            ("name",),
            registry=registry,
        )
        self._kube = Counter(
            "rest_client_requests_total",
            "Requests to the Kubernetes API server, by status code (<error>: no answer) and method.",
            ("code", "method", "host"),
            registry=registry,
        )
        self._kube_seconds = Histogram(
            "rest_client_request_duration_seconds",
            "How long the API server took to answer.",
            ("verb", "host"),
            buckets=_REQUEST_SECONDS,
            registry=registry,
        )

        # Our own.
        Gauge("secureredis_build_info", "1, labelled by version.", ("version",), registry=registry).labels(
            version()
        ).set(1)
        self._triggers = Counter(
            "secureredis_passes_total", "Passes by what woke them.", ("trigger", "result"), registry=registry
        )
        self._azure = Counter(
            "secureredis_azure_requests_total",
            "Requests to Azure, by service (arm, keyvault, entra), operation and status code (0: no answer).",
            ("service", "operation", "code"),
            registry=registry,
        )
        self._azure_seconds = Histogram(
            "secureredis_azure_request_duration_seconds",
            "How long Azure took to answer.",
            ("service",),
            buckets=_REQUEST_SECONDS,
            registry=registry,
        )
        self._throttled = Counter(
            "secureredis_azure_throttled_total", "Answers 429 of Azure.", ("service",), registry=registry
        )
        self._writes = Counter(
            "secureredis_writes_total",
            "Audited writes, by action and result (done, or a reason).",
            ("action", "result"),
            registry=registry,
        )
        self._probes = Counter(
            "secureredis_endpoint_probes_total",
            "Probes of endpoints, by result: complete, partial (not all could be seen), unreachable.",
            ("result",),
            registry=registry,
        )
        self._brakes = Gauge(
            "secureredis_brake_engaged",
            "1 while a brake (ReadOnly, MassDrift) holds all resources back, else 0.",
            ("brake",),
            registry=registry,
        )
        self._held = Counter(
            "secureredis_brake_held_total",
            "Passes that a brake held back, by reason (ReadOnly, FirstLook, MassDrift, Capped).",
            ("reason",),
            registry=registry,
        )
        self._known = Gauge("secureredis_resources", "Resources that are known.", registry=registry)
        self._waiting = Gauge(
            "secureredis_passes_waiting", "Passes that are due and wait for a free place.", registry=registry
        )
        registry.register(_PerResource(self._resources))
        self._observations = _Observations()
        registry.register(self._observations)

    # --- what others tell ---------------------------------------------------------------------------------------

    def _counters(self, trigger: str, result: str) -> tuple[Counter, ...]:
        """Looked up once: at rest a third of what a look costs would be the finding of its labels."""
        found = self._by_outcome.get((trigger, result))
        if found is None:
            found = (self._passes.labels(CONTROLLER, result), self._triggers.labels(str(trigger), result))
            self._by_outcome[trigger, result] = found
        return found

    def passed(self, key: Key, trigger: str, result: str, seconds: float, *, at: float) -> None:
        """A pass ended; `at`: seconds since the epoch."""
        for counter in self._counters(trigger, result):
            counter.inc()
        self._pass_duration.observe(seconds)
        if result == "error":
            self._pass_errors.labels(CONTROLLER).inc()
        else:
            self._resources.setdefault(key, _Seen()).last_pass = at

    def report(self, key: Key, status: Status) -> None:
        """What a resource's status says."""
        observed = self._resources.setdefault(key, _Seen())
        observed.conditions = tuple((str(one.type), str(one.status)) for one in status.conditions)
        observed.drift = float(len(status.drift))
        ends = status.endpoint.certificate.not_after if status.endpoint and status.endpoint.certificate else None
        observed.certificate_ends = datetime.fromisoformat(ends).timestamp() if ends else None
        turn = status.rotation
        since = turn.started_at if turn is not None and turn.phase in UNDER_WAY else None
        observed.rotating_since = datetime.fromisoformat(since).timestamp() if since else None
        if status.compliance is not None:
            counts = status.compliance
            observed.findings = (
                ("Pass", float(counts.passed)),
                ("Fail", float(counts.failed)),
                ("Unknown", float(counts.unknown)),
                ("Waived", float(counts.waived)),
            )

    def probed(self, keys: Iterable[Key], result: str, at: datetime) -> None:
        """An endpoint was looked at, for these resources."""
        self._probes.labels(result).inc()
        for key in keys:
            if key in self._resources:  # else it is gone, or was not seen yet
                self._resources[key].last_probe = at.timestamp()

    def forget(self, key: Key) -> None:
        """The resource is gone, and with it its series."""
        self._resources.pop(key, None)

    def kube_request(self, host: str, method: str, code: int, seconds: float) -> None:
        """A request to the API server; `code` 0: no answer."""
        self._kube.labels(str(code) if code else "<error>", method, host).inc()
        if method != "WATCH":
            self._kube_seconds.labels(method, host).observe(seconds)

    def azure_request(self, service: str, operation: str, status: int, seconds: float) -> None:
        """A request to Azure; `status` 0: no answer."""
        self._azure.labels(service, operation, str(status)).inc()
        self._azure_seconds.labels(service).observe(seconds)
        if status == 429:
            self._throttled.labels(service).inc()

    def watch_observations(self, ages: Ages) -> None:
        """Where to ask, by kind, for how many observations are held and the age of the oldest in seconds."""
        self._observations.ages = ages

    def wrote(self, action: str, result: str) -> None:
        """An audited write."""
        self._writes.labels(action, result).inc()

    def brake(self, name: str, engaged: bool) -> None:
        """A brake is on or off."""
        self._brakes.labels(name).set(float(engaged))

    def held(self, reason: str) -> None:
        """A brake held a pass back."""
        self._held.labels(str(reason)).inc()

    def leading(self, name: str, leads: bool) -> None:
        """Whether this process leads."""
        self._leader.labels(name).set(float(leads))

    def queue(self, known: int, waiting: int) -> None:
        """How much there is to do."""
        self._known.set(known)
        self._waiting.set(waiting)

    def render(self, names: Iterable[str] = ()) -> bytes:
        """The text format of Prometheus; of the families or series of these names only, where some are given."""
        wanted = tuple(names)
        return generate_latest(self.registry.restricted_registry(wanted) if wanted else self.registry)
