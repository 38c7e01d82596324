"""ServiceAccounts, their tokens, namespaces and events on a real API server."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.observe.identity import NamespaceIdentity, ServiceAccountFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.kube.client import KubeClient
from secure_redis.kube.events import EventRecorder
from secure_redis.kube.namespaces import Namespaces
from secure_redis.kube.service_accounts import ServiceAccounts, TokenRefused
from tests.kube import Kube


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(client: KubeClient, clock: Clock) -> ServiceAccounts:
    return ServiceAccounts(client, clock, ttl=30)


def account(kube: Kube, namespace: str, name: str = "orders") -> str:
    annotations = {names.CLIENT_ID: "c", names.TENANT_ID: "t", names.ALLOW: " orders, sessions ,"}
    body = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
    }
    return str(kube.apply(body)["metadata"]["uid"])


async def test_annotations_are_read_and_kept_for_a_while(
    accounts: ServiceAccounts, clock: Clock, kube: Kube, bound: str
) -> None:
    assert await accounts.read(bound, "orders") is None
    uid = account(kube, bound)
    clock.now += 1
    facts = await accounts.read(bound, "orders")
    assert facts == ServiceAccountFacts("orders", uid, "c", "t", ("orders", "sessions"))
    kube.patch("ServiceAccount", "orders", {"metadata": {"annotations": {names.ALLOW: "*"}}}, bound)
    assert await accounts.read(bound, "orders") == facts
    clock.now += 30
    changed = await accounts.read(bound, "orders")
    assert isinstance(changed, ServiceAccountFacts)
    assert changed.allow == ("*",)


async def test_without_consent_neither_read_nor_token(
    accounts: ServiceAccounts, kube: Kube, new_namespace: Callable[..., str]
) -> None:
    foreign = new_namespace()
    uid = account(kube, foreign)
    answer = await accounts.read(foreign, "orders")
    assert isinstance(answer, Unknown)
    assert answer.reason is Reason.NAMESPACE_NOT_BOUND
    with pytest.raises(TokenRefused) as refused:
        await accounts.token(NamespaceIdentity(foreign, "orders", uid, "c", "t"))
    assert refused.value.why.reason is Reason.NAMESPACE_NOT_BOUND
    assert f"--namespace={foreign}" in refused.value.why.message


async def test_a_token_is_for_one_audience_and_one_hour(accounts: ServiceAccounts, kube: Kube, bound: str) -> None:
    uid = account(kube, bound)
    token = await accounts.token(NamespaceIdentity(bound, "orders", uid, "c", "t"))
    payload = token.get_secret_value().split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["aud"] == [names.TOKEN_AUDIENCE]
    assert claims["sub"] == f"system:serviceaccount:{bound}:orders"
    assert 600 <= claims["exp"] - claims["iat"] <= 3600
    assert token.get_secret_value() not in repr(token)


async def test_a_recreated_account_gets_no_token_for_its_former_self(
    accounts: ServiceAccounts, kube: Kube, bound: str
) -> None:
    uid = account(kube, bound)
    kube.delete("ServiceAccount", "orders", bound)
    identity = NamespaceIdentity(bound, "orders", uid, "c", "t")
    with pytest.raises(TokenRefused) as refused:
        await accounts.token(identity)
    assert refused.value.why.reason is Reason.SERVICE_ACCOUNT_NOT_FOUND
    account(kube, bound)
    with pytest.raises(TokenRefused) as refused:
        await accounts.token(identity)
    assert refused.value.why.reason is Reason.SERVICE_ACCOUNT_NOT_FOUND


async def test_namespaces(client: KubeClient, clock: Clock, kube: Kube, bound: str) -> None:
    namespaces = Namespaces(client, clock)
    assert not await namespaces.terminating(bound)
    system = kube.get("Namespace", "kube-system")
    assert system is not None
    assert await namespaces.cluster_uid() == system["metadata"]["uid"]
    hold = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "hold", "namespace": bound, "finalizers": ["example.test/hold"]},
    }
    kube.create(hold)
    kube.delete("Namespace", bound)
    clock.now += 61
    assert await namespaces.terminating(bound)
    kube.patch("ConfigMap", "hold", {"metadata": {"finalizers": None}}, bound)


async def test_events_are_written_once_and_cut(
    client: KubeClient, clock: Clock, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    resource = make()
    recorder = EventRecorder(client, "pod-1", clock, lambda: datetime(2026, 11, 24, 10, tzinfo=UTC))
    for _ in range(3):
        await recorder.emit(resource, "Warning", "KeyMismatch", "ü" * 2000, "Reconcile")
    events = kube.list("Event", resource.key.namespace, "events.k8s.io/v1")
    assert [event["reason"] for event in events] == ["KeyMismatch"]
    assert events[0]["regarding"]["uid"] == resource.uid
    assert len(events[0]["note"].encode()) <= 1024
    (shown,) = kube.list("Event", resource.key.namespace, "v1")
    # kubectl describe and --sort-by=.lastTimestamp sort by it.
    assert shown["firstTimestamp"] == shown["lastTimestamp"] == "2026-11-24T10:00:00Z"
    for number in range(40):
        await recorder.emit(resource, "Normal", "Published", f"{number}", "Reconcile")
    assert len(kube.list("Event", resource.key.namespace, "events.k8s.io/v1")) == 20
