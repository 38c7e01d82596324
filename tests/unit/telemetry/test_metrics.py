"""Metrics: what a status says, and no value of a resource that is gone."""

import tracemalloc
from datetime import UTC, datetime

import aiohttp
import pytest

from secure_redis.api.resource import Key
from secure_redis.api.status import (
    CacheStatus,
    CertificateStatus,
    ComplianceStatus,
    Condition,
    CredentialStatus,
    DriftStatus,
    EffectiveStatus,
    EndpointStatus,
    FailedStatus,
    FindingStatus,
    RotationStatus,
    Status,
)
from secure_redis.telemetry.collectors import ResourceCollector
from secure_redis.telemetry.health import Health, HealthServer
from secure_redis.telemetry.metrics import Metrics
from secure_redis.telemetry.resource_state import ResourceState

ORDERS = Key("shop", "orders")


def finding(rule: str, result: str, severity: str) -> FindingStatus:
    return FindingStatus(rule=rule, result=result, severity=severity, message="x")


WHOLE = Status(
    conditions=(
        Condition(type="Ready", status="True", reason="Ready"),
        Condition(type="Stalled", status="True", reason="X"),
    ),
    compliance=ComplianceStatus(
        passed=3,
        failed=FailedStatus(high=1),
        unknown=2,
        findings=(
            finding("N1", "Fail", "High"),
            finding("O1", "Unknown", "Low"),
            finding("O2", "Unknown", "Low"),
        ),
    ),
    drift=(DriftStatus(path="a", declared="1", observed="2", drift_class="Security"),),
)


def value(metrics: Metrics, series: str, /, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(series, labels)


def test_a_status_becomes_gauges() -> None:
    metrics = Metrics()
    metrics.report(ORDERS, WHOLE, 300)
    where = {"namespace": "shop", "name": "orders"}
    assert value(metrics, "secureredis_status_condition", **where, type="Ready", status="True") == 1
    assert value(metrics, "secureredis_status_condition", **where, type="Ready", status="False") == 0
    assert value(metrics, "secureredis_findings", **where, result="Fail", severity="High") == 1
    assert value(metrics, "secureredis_findings", **where, result="Fail", severity="Critical") == 0
    assert value(metrics, "secureredis_findings", **where, result="Unknown", severity="Low") == 2
    assert value(metrics, "secureredis_rules_passed", **where) == 3
    assert value(metrics, "secureredis_drift_interval_seconds", **where) == 300
    assert value(metrics, "secureredis_drift", **where) == 1
    metrics.report(ORDERS, Status(conditions=WHOLE.conditions[:1]), 300)
    assert value(metrics, "secureredis_status_condition", **where, type="Stalled", status="True") is None
    assert value(metrics, "secureredis_drift", **where) == 0
    assert value(metrics, "secureredis_findings", **where, result="Fail", severity="High") is None
    assert value(metrics, "secureredis_rules_passed", **where) is None


def test_equal_states_are_kept_once() -> None:
    states = [ResourceState(), ResourceState()]
    for state in states:
        state.take_over(WHOLE.model_copy(deep=True))
    assert states[0].conditions is states[1].conditions
    assert states[0].findings is states[1].findings


def test_the_text_of_many_series_is_one_family() -> None:
    metrics = Metrics()
    for number in range(700):
        metrics.report(Key("shop", f"orders-{number}"), WHOLE, 300)
    text = metrics.render(["secureredis_status_condition"]).decode()
    lines = text.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("#")] == ["HELP", "TYPE"]
    assert len(lines) == 2 + 700 * len(WHOLE.conditions) * 3 > 3000, "they are rendered in more than one part"
    assert len(set(lines)) == len(lines)
    assert text.endswith("\n")


def test_a_rendering_takes_little_more_memory_than_its_text() -> None:
    metrics = Metrics()
    for number in range(1000):
        metrics.report(Key("shop", f"orders-{number}"), WHOLE, 300)
    tracemalloc.start()
    try:
        length = sum(len(family.text) for family in tuple(metrics.families()))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * length


def test_an_endpoint_has_its_times() -> None:
    metrics = Metrics()
    where = {"namespace": "shop", "name": "orders"}
    ends = EndpointStatus(certificate=CertificateStatus(not_after="2027-01-01T00:00:00Z"))
    metrics.report(ORDERS, Status(endpoint=ends), 300)
    at = datetime(2026, 11, 24, tzinfo=UTC)
    metrics.probed((ORDERS, Key("shop", "gone")), "complete", at)
    assert value(metrics, "secureredis_certificate_not_after_timestamp_seconds", **where) == 1798761600
    assert value(metrics, "secureredis_endpoint_last_probe_timestamp_seconds", **where) == at.timestamp()
    assert value(metrics, "secureredis_endpoint_probes_total", result="complete") == 1
    assert b'name="gone"' not in metrics.render()
    metrics.report(ORDERS, Status(), 300)
    assert value(metrics, "secureredis_certificate_not_after_timestamp_seconds", **where) is None


def test_a_rotation_under_way_has_its_beginning() -> None:
    metrics = Metrics()
    series, where = "secureredis_rotation_started_timestamp_seconds", {"namespace": "shop", "name": "orders"}
    begun = "2027-01-01T00:00:00Z"
    metrics.report(ORDERS, Status(rotation=RotationStatus(phase="RollingOut", started_at=begun)), 300)
    assert value(metrics, series, **where) == 1798761600
    for over in ("Completed", "Waiting", "Superseded"):
        metrics.report(ORDERS, Status(rotation=RotationStatus(phase=over, started_at=begun)), 300)
        assert value(metrics, series, **where) is None


def test_the_dates_of_a_key_and_of_a_cache() -> None:
    metrics = Metrics()
    where = {"namespace": "shop", "name": "orders"}
    dates = {
        "secureredis_credential_published_timestamp_seconds": 1798761600,
        "secureredis_credential_expires_timestamp_seconds": 1798848000,
        "secureredis_rotation_due_timestamp_seconds": 1798934400,
        "secureredis_cache_retires_timestamp_seconds": 1799020800,
    }
    status = Status(
        cache=CacheStatus(retires_on="2027-01-04"),
        credential=CredentialStatus(published_at="2027-01-01T00:00:00Z", expires_at="2027-01-02T00:00:00Z"),
        rotation=RotationStatus(phase="Scheduled", due_at="2027-01-03T00:00:00Z"),
    )
    metrics.report(ORDERS, status, 300)
    assert {name: value(metrics, name, **where) for name in dates} == dates
    metrics.report(ORDERS, Status(cache=CacheStatus(retires_on="no date"), credential=CredentialStatus()), 300)
    assert {value(metrics, name, **where) for name in dates} == {None}


def test_the_interval_is_the_one_that_applies() -> None:
    """The operator's configuration has a default, which the spec does not show."""
    metrics = Metrics()
    where = {"namespace": "shop", "name": "orders"}
    metrics.report(ORDERS, Status(effective=EffectiveStatus(mode="Validate", interval_seconds=7200)), 300)
    assert value(metrics, "secureredis_drift_interval_seconds", **where) == 7200


def test_no_series_tells_when_a_counter_was_made() -> None:
    metrics = Metrics()
    metrics.passed(ORDERS, "Edit", "success", 0.1, at=1000.0)
    assert b"_created" not in metrics.render()


def test_the_process_has_the_usual_series() -> None:
    assert b"process_resident_memory_bytes" in Metrics().render()


def test_series_are_removed_with_their_resource() -> None:
    metrics = Metrics()
    metrics.report(ORDERS, WHOLE, 300)
    metrics.passed(ORDERS, "Edit", "success", 0.1, at=1000.0)
    assert b'name="orders"' in metrics.render()
    metrics.forget(ORDERS)
    assert b'name="orders"' not in metrics.render()
    metrics.forget(ORDERS)


def test_passes_and_requests_are_counted() -> None:
    metrics = Metrics()
    metrics.passed(ORDERS, "Edit", "success", 0.1, at=1000.0)
    metrics.passed(ORDERS, "Retry", "error", 0.1, at=None)
    metrics.kube_request("https://k", "GET", 200, 0.1)
    metrics.kube_request("https://k", "GET", 0, 0.1)
    metrics.azure_request("arm", "redis.get", 429, 0.1)
    assert value(metrics, "controller_runtime_reconcile_total", controller="secureredis", result="error") == 1
    assert value(metrics, "controller_runtime_reconcile_errors_total", controller="secureredis") == 1
    where = {"namespace": "shop", "name": "orders"}
    assert value(metrics, "secureredis_last_successful_pass_timestamp_seconds", **where) == 1000
    assert value(metrics, "rest_client_requests_total", code="<error>", method="GET", host="https://k") == 1
    assert value(metrics, "secureredis_azure_throttled_total", service="arm") == 1


async def test_health_names_the_failed_check() -> None:
    health = Health()
    server = HealthServer(health, lambda: tuple(Metrics().families()), port=0)
    await server.start()
    base = f"http://127.0.0.1:{server.port}"
    try:
        async with aiohttp.ClientSession() as session:
            health.ready["api"] = lambda: "the API server does not answer"
            async with session.get(f"{base}/healthz") as answer:
                assert answer.status == 200
            async with session.get(f"{base}/readyz") as answer:
                assert answer.status == 503
                assert await answer.json() == {"api": "the API server does not answer"}
            health.alive["loop"] = lambda: "stuck"
            async with session.get(f"{base}/healthz") as answer:
                assert answer.status == 503
            async with session.get(f"{base}/metrics") as answer:
                assert "secureredis_build_info" in await answer.text()
    finally:
        await server.stop()


async def test_a_taken_port_is_an_error() -> None:
    first = HealthServer(Health(), tuple, port=0)
    await first.start()
    try:
        with pytest.raises(OSError, match="Address already in use"):
            await HealthServer(Health(), tuple, port=first.port).start()
    finally:
        await first.stop()


def test_only_the_named_series_are_rendered() -> None:
    metrics = Metrics()
    metrics.passed(ORDERS, "Clock", "success", 0.1, at=1.0)
    metrics.watch_observations(lambda: {"locks": (3, 7.5)})
    told = metrics.render(["secureredis_passes_total", "secureredis_observation_age_seconds"]).decode()
    assert 'secureredis_passes_total{result="success",trigger="Clock"} 1.0' in told
    assert 'secureredis_observation_age_seconds{kind="locks"} 7.5' in told
    assert "secureredis_observations{" not in told
    assert "secureredis_last_successful_pass" not in told


def test_a_resource_that_is_added_meanwhile_ends_no_rendering() -> None:
    """A thread renders while passes go on, so each series is built from a copy of the table."""
    table: dict[Key, ResourceState] = {}

    class Growing(ResourceState):
        """Another resource is added with each value that is read of this one."""

        def __getattribute__(self, name: str) -> object:
            table[Key("shop", f"r{len(table)}")] = ResourceState()
            return super().__getattribute__(name)

    table[ORDERS] = Growing()
    families = [(family.name, list(family.samples)) for family in ResourceCollector(table).collect()]
    assert len(table) > len(families)
