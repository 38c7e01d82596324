"""The log of a pass states why a resource is not Ready: once as a warning, then quietly."""

import json
import logging
from collections.abc import Iterator
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import Key
from secure_redis.cli.pass_events import PassEvents
from secure_redis.domain.plan.namespace_limits import NamespaceLimits
from secure_redis.kube.secret_store import SecretStore
from secure_redis.kube.watches import SecretWatches
from secure_redis.reconciler.namespace_limits import NamespaceMembers
from secure_redis.reconciler.next_pass import NextPass, ReadyReport
from secure_redis.schedule.schedule import Trigger
from secure_redis.telemetry import logs
from secure_redis.telemetry.metrics import Metrics

ORDERS = Key("shop", "orders")
KEY = "dGhpcyBpcyBub3QgYSBrZXksIGJ1dCBpdCBsb29rcyE="


@pytest.fixture
def stream() -> Iterator[StringIO]:
    root = logging.getLogger()
    before = root.handlers[:]
    text = StringIO()
    logs.setup("DEBUG", text)
    yield text
    root.handlers[:] = before


@pytest.fixture
async def events() -> PassEvents:
    found = PassEvents(Metrics(), None, None)  # type: ignore[arg-type]
    found.connect(SimpleNamespace(resources=1, depth=0), None, ())  # type: ignore[arg-type]
    return found


def ready(reason: Reason, status: str = "Unknown", message: str = "do this") -> ReadyReport:
    return ReadyReport(status, reason, message, 3)


def lines(stream: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def told(stream: StringIO) -> list[tuple[str, str, str | None]]:
    return [(line["level"], line["result"], line.get("reason")) for line in lines(stream)]


def test_a_new_reason_is_a_warning_with_all_that_is_needed(events: PassEvents, stream: StringIO) -> None:
    events.passed(ORDERS, Trigger.EDIT, NextPass(15.0, ready=ready(Reason.CONSENT_MISSING)), 0.25)
    (line,) = lines(stream)
    assert {name: line[name] for name in ("level", "message", "resource", "result", "ready", "reason", "why")} == {
        "level": "warning",
        "message": "pass ended",
        "resource": "shop/orders",
        "result": "blocked",
        "ready": "Unknown",
        "reason": "ConsentMissing",
        "why": "do this",
    }
    assert line["generation"] == 3


def test_only_changes_are_warnings(events: PassEvents, stream: StringIO) -> None:
    blocked, other = ready(Reason.CONSENT_MISSING), ready(Reason.TOKEN_REFUSED)
    for trigger, failed, one in (
        (Trigger.EDIT, False, blocked),
        (Trigger.CLOCK, False, blocked),
        (Trigger.CLOCK, True, other),
        (Trigger.RETRY, True, other),
        (Trigger.CLOCK, False, ready(Reason.READY, "True")),
        (Trigger.CLOCK, False, blocked),
    ):
        events.passed(ORDERS, trigger, NextPass(15.0, failed=failed, ready=one), 0.1)
    assert told(stream) == [
        ("warning", "blocked", "ConsentMissing"),
        ("debug", "blocked", "ConsentMissing"),
        ("warning", "blocked", "TokenRefused"),
        ("info", "blocked", "TokenRefused"),
        ("debug", "success", "Ready"),
        ("warning", "blocked", "ConsentMissing"),
    ]


def test_an_outage_is_an_error_and_progress_is_neither(events: PassEvents, stream: StringIO) -> None:
    events.passed(ORDERS, Trigger.EDIT, NextPass(9.0, failed=True, ready=ready(Reason.AZURE_UNREACHABLE)), 0.1)
    events.passed(ORDERS, Trigger.EDIT, NextPass(9.0, ready=ready(Reason.CREATING, "False")), 0.1)
    events.passed(ORDERS, Trigger.EDIT, NextPass(9.0, failed=True), 0.1)
    assert told(stream) == [
        ("warning", "error", "AzureUnreachable"),
        ("info", "success", "Creating"),
        ("info", "error", None),
    ]


def test_a_message_is_redacted(events: PassEvents, stream: StringIO) -> None:
    secret = ready(Reason.REQUEST_REFUSED, "False", f"refused: password={KEY}")
    events.passed(ORDERS, Trigger.EDIT, NextPass(9.0, ready=secret), 0.1)
    assert KEY not in stream.getvalue()
    assert "refused" in lines(stream)[0]["why"]


@pytest.mark.parametrize(
    ("spec", "interval"),
    [
        ({"drift": {"intervalSeconds": 7200}}, 7200),
        ({}, 300),
        ({"drift": {"intervalSeconds": "of another version"}}, 300),
    ],
)
async def test_what_a_pass_wrote_is_measured(spec: dict[str, Any], interval: float) -> None:
    metrics, written = Metrics(), []
    events = PassEvents(metrics, None, None)  # type: ignore[arg-type]
    schedule = SimpleNamespace(written=lambda key, body: written.append(key))
    events.connect(schedule, None, ())  # type: ignore[arg-type]
    ready_condition = {"type": "Ready", "status": "False", "reason": "InvalidSpec"}
    body = {"metadata": {"resourceVersion": "7"}, "spec": spec, "status": {"conditions": [ready_condition]}}
    events.written(ORDERS, body)
    where = {"namespace": "shop", "name": "orders"}
    assert metrics.registry.get_sample_value("secureredis_drift_interval_seconds", where) == interval
    labels = {**where, "type": "Ready", "status": "False"}
    assert metrics.registry.get_sample_value("secureredis_status_condition", labels) == 1
    assert written == [ORDERS]
    # The watch delivers the same version again; a later one counts.
    ready_condition["status"] = "True"
    events.written(ORDERS, body)
    assert metrics.registry.get_sample_value("secureredis_status_condition", labels) == 1
    body["metadata"] = {"resourceVersion": "8"}
    events.written(ORDERS, body)
    assert metrics.registry.get_sample_value("secureredis_status_condition", {**labels, "status": "True"}) == 1


async def test_an_introduced_resource_counts_and_its_secrets_are_kept() -> None:
    members, store = NamespaceMembers(NamespaceLimits(resources=1)), SecretStore()
    events = PassEvents(Metrics(), members, None)  # type: ignore[arg-type]
    watches = SecretWatches(None, store, lambda key: None)  # type: ignore[arg-type]
    events.connect(None, None, (watches,))  # type: ignore[arg-type]
    for name, created in (("later", "2026-01-02T00:00:00Z"), ("orders", "2026-01-01T00:00:00Z")):
        meta = {"namespace": "shop", "name": name, "uid": f"uid-{name}", "creationTimestamp": created}
        events.introduced({"metadata": meta, "spec": {}})
    assert members.beyond_limits(ORDERS) is None
    assert members.beyond_limits(Key("shop", "later")) is not None
    owner = {"kind": names.KIND, "name": "orders", "uid": "uid-orders", "controller": True}
    owners = [{**owner, "apiVersion": names.API_VERSION}]
    assert store.wants({"namespace": "shop", "name": "former", "ownerReferences": owners})
