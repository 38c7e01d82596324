"""Series that are computed at each scrape: those of the resources, and those of the kept observations."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from secure_redis.api.resource import Key

_PER_RESOURCE: Final = ("namespace", "name")
_STATUSES: Final = ("True", "False", "Unknown")


@dataclass(slots=True)
class ResourceState:
    """The values of one resource's series."""

    conditions: tuple[tuple[str, str], ...] | None = None  # type, status
    drift: float = 0.0
    findings: tuple[tuple[str, float], ...] = ()
    last_pass: float | None = None
    last_probe: float | None = None
    certificate_ends: float | None = None
    rotating_since: float | None = None


class ResourceCollector(Collector):
    """Builds the series of resources when they are scraped: keeping a gauge's children costs 22 KiB a resource."""

    def __init__(self, resources: Mapping[Key, ResourceState]) -> None:
        self._resources = resources

    def collect(self) -> Iterable[Metric]:
        """Yield the current series."""
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
            "Rules of a resource by result (Pass, Fail, Advice, Unknown, Waived).",
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
        for key, state in self._resources.items():
            where = (key.namespace, key.name)
            if state.conditions is not None:
                drift.add_metric(where, state.drift)
                for kind, status in state.conditions:
                    for value in _STATUSES:
                        condition.add_metric((*where, kind, value), float(status == value))
            for result, count in state.findings:
                findings.add_metric((*where, result), count)
            if state.last_pass is not None:
                last_pass.add_metric(where, state.last_pass)
            if state.last_probe is not None:
                last_probe.add_metric(where, state.last_probe)
            if state.certificate_ends is not None:
                certificate.add_metric(where, state.certificate_ends)
            if state.rotating_since is not None:
                rotating.add_metric(where, state.rotating_since)
        return condition, drift, findings, last_pass, last_probe, certificate, rotating

    def describe(self) -> Iterable[Metric]:
        """Return the names for the registry, without the resources."""
        return ResourceCollector({}).collect()


Ages = Callable[[], Mapping[str, tuple[int, float]]]


class ObservationCollector(Collector):
    """Reports how many observations around the caches are kept, and how old they are, when it is scraped."""

    def __init__(self) -> None:
        self.ages: Ages = dict

    def collect(self) -> Iterable[Metric]:
        """Return both series by kind."""
        cached = GaugeMetricFamily(
            "secureredis_observations", "Answers about the resources around caches that are kept.", labels=("kind",)
        )
        oldest = GaugeMetricFamily(
            "secureredis_observation_age_seconds", "Age of the oldest of them.", labels=("kind",)
        )
        for kind, (count, age) in self.ages().items():
            cached.add_metric((kind,), float(count))
            oldest.add_metric((kind,), age)
        return cached, oldest

    def describe(self) -> Iterable[Metric]:
        """Return the names for the registry."""
        return ObservationCollector().collect()
