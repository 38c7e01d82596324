"""Each metric of docs/reference/metrics.md is emitted with exactly the labels of its entry, and no other one is."""

import re
from datetime import UTC, datetime
from pathlib import Path

from secure_redis.api.resource import Key
from secure_redis.api.status import (
    CacheStatus,
    CertificateStatus,
    ComplianceStatus,
    Condition,
    CredentialStatus,
    EndpointStatus,
    FailedStatus,
    FindingStatus,
    RotationStatus,
    Status,
)
from secure_redis.telemetry.metrics import Metrics

PAGE = Path(__file__).parents[3] / "docs/reference/metrics.md"
ORDERS = Key("shop", "orders")
TIME = "2027-01-01T00:00:00Z"
EVERYTHING = Status(
    conditions=(Condition(type="TransportSecured", status="False", reason="NonTLSPortOpen"),),
    compliance=ComplianceStatus(
        passed=3,
        failed=FailedStatus(high=1),
        waived=1,
        findings=(
            FindingStatus(rule="N1", result="Fail", severity="High", message="x"),
            FindingStatus(rule="T1", result="Waived", severity="Critical", message="x"),
        ),
    ),
    cache=CacheStatus(retires_on="2028-09-30"),
    endpoint=EndpointStatus(certificate=CertificateStatus(not_after=TIME)),
    credential=CredentialStatus(published_at=TIME, expires_at=TIME),
    rotation=RotationStatus(phase="RollingOut", started_at=TIME, due_at=TIME),
)


def documented() -> dict[str, frozenset[str]]:
    """Read each entry of the page: the name in its heading, and its labels."""
    entries = re.split(r"^### ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    found = {
        re.findall(r"`(\w+)`", entry)[0]: frozenset(
            label
            for line in re.findall(r"^- Labels: (.*)$", entry, re.MULTILINE)
            for label in re.findall(r"`(\w+)`", line)
        )
        for entry in entries
    }
    assert len(found) == len(entries), "a metric is documented twice"
    return found


def emitted() -> dict[str, frozenset[str]]:
    """Use every method of the metrics once, and return the labels of each family that has a sample."""
    metrics = Metrics()
    metrics.report(ORDERS, EVERYTHING, 300)
    metrics.passed(ORDERS, "Edit", "success", 0.1, at=1000.0)
    metrics.passed(ORDERS, "Retry", "error", 0.1, at=None)
    metrics.probed((ORDERS,), "complete", datetime(2027, 1, 1, tzinfo=UTC))
    metrics.kube_request("https://k", "GET", 200, 0.1)
    metrics.azure_request("arm", "redis.get", 429, 0.1)
    metrics.watch_observations(lambda: {"locks": (3, 7.5)})
    metrics.wrote("ApplySecret", "done")
    metrics.tampered()
    metrics.brake("MassDrift", True)
    metrics.brake_blocked("MassDrift")
    metrics.leading("secure-redis-operator", True)
    metrics.queue(1, 0)
    metrics.watch_waiting(lambda: {"shop": 2})
    labels: dict[str, frozenset[str]] = {}
    for family in metrics.registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        for sample in family.samples:
            labels[name] = frozenset(sample.labels) - {"le"}
    return labels


def test_each_documented_series_is_emitted_with_its_labels() -> None:
    assert emitted() == documented()
