"""A resource that another install claims: left alone while that one may run, and Unknown when it does not."""

from datetime import UTC, datetime
from typing import Any

import pytest

from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.resource import Envelope, Key, envelope
from secure_redis.api.status import Status
from secure_redis.kube.installs import Standing
from secure_redis.reconciler.other_installs import OtherInstalls

NOW = datetime(2026, 11, 29, tzinfo=UTC)
GREEN = [
    {"type": kind, "status": status, "reason": "X", "message": "", "observedGeneration": 3}
    for kind, status in (
        ("Ready", "True"),
        ("Reconciling", "False"),
        ("CacheAvailable", "True"),
        ("TransportSecured", "True"),
        ("PersistenceEncrypted", "True"),
        ("Compliant", "True"),
        ("DriftDetected", "False"),
        ("CredentialsSynced", "True"),
        ("WorkloadsCurrent", "True"),
    )
]
BODY: dict[str, Any] = {
    "apiVersion": "secureredis.io/v1alpha1",
    "kind": "SecureRedisCache",
    "metadata": {
        "name": "orders",
        "namespace": "shop",
        "uid": "u",
        "resourceVersion": "7",
        "generation": 4,
        "annotations": {"secureredis.io/operator": "elsewhere/secure-redis-operator"},
    },
    "status": {"conditions": GREEN, "credential": {"keyVaultVersion": "v"}},
}


class Kubernetes:
    """The resource at the API server, its events, and what the other install's Lease shows."""

    def __init__(self) -> None:
        self.standing_ = Standing(None, 15)
        self.statuses: list[Status] = []
        self.events: list[Any] = []
        self.written: list[Key] = []
        self.differs = True

    async def standing(self, _: Envelope) -> Standing:
        return self.standing_

    async def write_status(self, _: Envelope, status: Status) -> dict[str, Any] | None:
        self.statuses.append(status)
        return BODY if self.differs else None

    async def emit(self, _: Envelope, kind: str, reason: Reason, note: str, action: str) -> None:
        self.events.append((kind, reason, note))


@pytest.fixture
def kubernetes() -> Kubernetes:
    return Kubernetes()


@pytest.fixture
def others(kubernetes: Kubernetes) -> OtherInstalls:
    def written(key: Key, _: Any) -> None:
        kubernetes.written.append(key)

    return OtherInstalls(kubernetes, kubernetes, lambda: NOW, written)  # type: ignore[arg-type]


async def test_an_install_that_may_run_keeps_its_resource(others: OtherInstalls, kubernetes: Kubernetes) -> None:
    found = await others.leave_alone(envelope(BODY))
    assert found.after == 15, "another look decides"
    assert kubernetes.statuses == []
    ((kind, reason, note),) = kubernetes.events
    assert (kind, reason) == ("Warning", Reason.OPERATED_BY_ANOTHER)
    assert "elsewhere/secure-redis-operator" in note


async def test_nothing_stays_green_where_no_install_runs(others: OtherInstalls, kubernetes: Kubernetes) -> None:
    kubernetes.standing_ = Standing("the Lease x does not exist, or has no holder")
    found = await others.leave_alone(envelope(BODY))
    (status,) = kubernetes.statuses
    states = {one.type: (one.status, one.reason, one.observed_generation) for one in status.conditions}
    assert states.pop("Reconciling") == ("False", "X", 4)
    assert set(states.values()) == {("Unknown", "OperatorGone", 4)}
    assert set(states) == {one["type"] for one in GREEN} - {"Reconciling"}
    assert status.credential is not None, "what was known stays"
    ready = status.condition(ConditionType.READY)
    assert ready is not None
    assert "the Lease x does not exist" in ready.message
    assert "remove the annotation" in ready.message
    assert found.ready is not None
    assert found.ready.status == "Unknown"
    assert kubernetes.written == [Key("shop", "orders")]
    assert [(kind, reason) for kind, reason, _ in kubernetes.events] == [("Warning", Reason.OPERATOR_GONE)]


async def test_a_status_that_stays_the_same_causes_no_event(others: OtherInstalls, kubernetes: Kubernetes) -> None:
    kubernetes.standing_, kubernetes.differs = Standing("gone"), False
    await others.leave_alone(envelope(BODY))
    assert kubernetes.events == []
    assert kubernetes.written == []


async def test_a_resource_that_never_had_a_pass_is_reported_too(others: OtherInstalls, kubernetes: Kubernetes) -> None:
    kubernetes.standing_ = Standing("gone")
    await others.leave_alone(envelope({**BODY, "status": {}}))
    (status,) = kubernetes.statuses
    assert {"Ready", "TransportSecured"} <= {one.type for one in status.conditions}
    assert {one.status for one in status.conditions} == {"Unknown"}
