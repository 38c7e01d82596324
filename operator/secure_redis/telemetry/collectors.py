"""Series that are computed at each rendering: those of the resources, and those of the kept observations."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from secure_redis.api.resource import Key
from secure_redis.telemetry.resource_state import ResourceState

_PER_RESOURCE: Final = ("namespace", "name")
_STATUSES: Final = ("True", "False", "Unknown")

_Series = tuple[tuple[str, ...], float]  # the values of the labels, and the value


@dataclass(frozen=True, slots=True)
class _Value:
    """A series with one value per resource, which is absent while `of` returns None."""

    name: str
    documentation: str
    of: Callable[[ResourceState], float | None]


_VALUES: Final = (
    _Value(
        "secureredis_drift",
        "Fields of a resource that differ from Azure.",
        lambda state: state.drift if state.conditions is not None else None,
    ),
    _Value("secureredis_rules_passed", "Rules that a resource passes.", lambda state: state.rules_passed),
    _Value(
        "secureredis_drift_interval_seconds",
        "How often the operator reconciles a resource when nothing else causes it (status.effective.intervalSeconds).",
        lambda state: state.drift_interval,
    ),
    _Value(
        "secureredis_last_successful_pass_timestamp_seconds",
        "When a reconcile of a resource last succeeded. It is a time, so its age grows while the operator is down.",
        lambda state: state.last_pass,
    ),
    _Value(
        "secureredis_endpoint_last_probe_timestamp_seconds",
        "When this process last probed the endpoint of a resource.",
        lambda state: state.last_probe,
    ),
    _Value(
        "secureredis_certificate_not_after_timestamp_seconds",
        "When the certificate of a resource's endpoint expires.",
        lambda state: state.certificate_ends,
    ),
    _Value(
        "secureredis_credential_published_timestamp_seconds",
        "When the operator published the key in a resource's Secret. time() minus this is the age of the key.",
        lambda state: state.credential_published,
    ),
    _Value(
        "secureredis_credential_expires_timestamp_seconds",
        "When the Key Vault secret with a resource's key expires. Absent if it has no expiry.",
        lambda state: state.credential_expires,
    ),
    _Value(
        "secureredis_rotation_started_timestamp_seconds",
        "When the current rotation of a resource's key began. Absent if there is none.",
        lambda state: state.rotation_started,
    ),
    _Value(
        "secureredis_rotation_due_timestamp_seconds",
        "When the schedule of a resource requires the next rotation. Absent without a schedule.",
        lambda state: state.rotation_due,
    ),
    _Value(
        "secureredis_cache_retires_timestamp_seconds",
        "The day on which Microsoft retires the service of a resource's cache. Absent while no date is known.",
        lambda state: state.cache_retires,
    ),
)


def _family(name: str, documentation: str, labels: tuple[str, ...], series: Iterable[_Series]) -> Metric:
    """Return a family whose series are made while it is rendered: as objects they take four times their text."""
    family = GaugeMetricFamily(name, documentation, labels=labels)
    samples = (Sample(name, dict(zip(labels, values, strict=True)), value) for values, value in series)
    family.samples = cast("list[Sample]", samples)
    return family


class ResourceCollector(Collector):
    """Builds the series of resources when they are rendered: keeping a gauge's children costs 22 KiB a resource.

    A thread renders while passes go on. So each series is built from a copy of the table, made in one step, and a pass
    replaces a state as a whole.
    """

    def __init__(self, resources: Mapping[Key, ResourceState]) -> None:
        self._resources = resources

    def collect(self) -> Iterable[Metric]:
        """Yield the families. Their series are made one by one while they are rendered."""
        yield _family(
            "secureredis_status_condition",
            "1 for the status (True, False, Unknown) that a condition of a resource has, else 0.",
            (*_PER_RESOURCE, "type", "status"),
            self._conditions(),
        )
        yield _family(
            "secureredis_condition_waived",
            "1 while a condition is False only because of findings that waivers of the resource accept. Else absent.",
            (*_PER_RESOURCE, "type"),
            (((*key, kind), 1.0) for key, state in self._states() for kind in state.waived_conditions),
        )
        yield _family(
            "secureredis_findings",
            "Rules that a resource does not pass, by result (Fail, Advice, Unknown, Waived) and severity.",
            (*_PER_RESOURCE, "result", "severity"),
            (
                ((*key, result, severity), number)
                for key, state in self._states()
                for result, severity, number in state.findings
            ),
        )
        for value in _VALUES:
            yield _family(value.name, value.documentation, _PER_RESOURCE, self._values(value.of))

    def _states(self) -> Iterator[tuple[Key, ResourceState]]:
        yield from list(self._resources.items())

    def _conditions(self) -> Iterator[_Series]:
        for key, state in self._states():
            for kind, status in state.conditions or ():
                for value in _STATUSES:
                    yield (*key, kind, value), float(status == value)

    def _values(self, of: Callable[[ResourceState], float | None]) -> Iterator[_Series]:
        for key, state in self._states():
            found = of(state)
            if found is not None:
                yield tuple(key), found

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
            "secureredis_observations",
            "Kept responses about the resources around caches, such as locks, role assignments and vaults.",
            labels=("kind",),
        )
        oldest = GaugeMetricFamily(
            "secureredis_observation_age_seconds",
            "Age of the oldest response that is kept about a resource around a cache.",
            labels=("kind",),
        )
        for kind, (count, age) in self.ages().items():
            cached.add_metric((kind,), float(count))
            oldest.add_metric((kind,), age)
        return cached, oldest

    def describe(self) -> Iterable[Metric]:
        """Return the names for the registry."""
        return ObservationCollector().collect()


class WaitingCollector(Collector):
    """Reports how many passes of each namespace wait for a free place, when it is scraped.

    Only a namespace in which a pass waits has a series, so at rest there is none.
    """

    def __init__(self) -> None:
        self.waiting: Callable[[], Mapping[str, int]] = dict

    def collect(self) -> Iterable[Metric]:
        """Yield the series by namespace."""
        family = GaugeMetricFamily(
            "secureredis_namespace_passes_waiting",
            "Reconciles of a namespace that are due and wait for a free place. Absent while none waits.",
            labels=("namespace",),
        )
        for namespace, count in self.waiting().items():
            family.add_metric((namespace,), float(count))
        yield family

    def describe(self) -> Iterable[Metric]:
        """Return the names for the registry."""
        return WaitingCollector().collect()
