"""The live probe, by the real operator: what the endpoint speaks reaches status, and Ready does not depend on it."""

import json
import urllib.request
from typing import Any

import pytest

from sandbox.chart.install import OPERATOR
from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import World
from tests.integration.operator.support import Case

USER = f"system:serviceaccount:{RELEASE_NAMESPACE}:{OPERATOR}"


def endpoint(case: Case) -> dict[str, Any]:
    """`status.endpoint` now."""
    return dict(case.status.get("endpoint") or {})


def probed(case: Case) -> dict[str, Any]:
    """Wait until a probe is reported."""
    wait_for(lambda: endpoint(case), PATIENCE, "status.endpoint")
    return endpoint(case)


def parts(case: Case) -> set[str]:
    """The parts that the probe could not determine."""
    return {part for group in endpoint(case).get("unknown", []) for part in group["parts"]}


def findings(case: Case) -> dict[str, str]:
    """Results of the rules that are not Pass."""
    return {one["rule"]: one["result"] for one in case.status["compliance"]["findings"]}


def misbehave(case: Case, fault: str | None) -> None:
    """The listener misbehaves from now on, or behaves again; then ask for a check."""
    case.control.redis.listener_fault(case.cache, fault)
    case.poke()


def events(case: Case, reason: str) -> list[str]:
    """Notes of the Warning events with that reason."""
    listed = case.world.api.get(f"/apis/events.k8s.io/v1/namespaces/{case.team.namespace}/events").must()["items"]
    mine = [one for one in listed if one["regarding"]["name"] == case.document["metadata"]["name"]]
    return [one["note"] for one in mine if one["type"] == "Warning" and one["reason"] == reason]


def test_a_safe_endpoint(case: Case) -> None:
    case.published()
    observed = probed(case)
    assert observed["tlsVersions"] == ["1.2", "1.3"]
    assert observed["chain"] == {"verified": True}
    assert observed["name"] == {"verified": True}
    assert observed["nonTLSPort"] in {"Closed", "NotAnswering"}
    assert observed["certificate"]["issuer"]
    assert [one["scope"] for one in observed["addresses"]] == ["Loopback"]
    assert "unknown" not in observed or observed["unknown"] == []
    wait_for(lambda: "the probe found the same" in case.condition("TransportSecured")[2], PATIENCE, "the condition")
    assert case.condition("TransportSecured")[0] == "True"
    assert not {"T4", "T5"} & findings(case).keys()


@pytest.mark.parametrize(
    ("fault", "reason", "rule"),
    [
        ("old-tls", "TLSTooOldAccepted", "T5"),
        ("self-signed-certificate", "CertificateNotTrusted", "T5"),
        ("wrong-certificate", "CertificateNameMismatch", "T5"),
        ("expired-certificate", "CertificateExpired", "T5"),
    ],
)
def test_a_bad_endpoint_is_reported_and_recovers(case: Case, fault: str, reason: str, rule: str) -> None:
    """Azure reports all well: only a connection shows it. The Secret, proven before, stays as it is."""
    case.published()
    probed(case)
    misbehave(case, fault)
    case.until("TransportSecured", "False", reason)
    assert findings(case)[rule] == "Fail"
    assert case.condition("Ready")[0] == "True"
    assert case.secret() is not None
    wait_for(lambda: events(case, reason), PATIENCE, "an event")
    misbehave(case, None)
    case.until("TransportSecured", "True", "Secured")
    assert len(events(case, reason)) == 1


def test_the_non_tls_port(case: Case) -> None:
    """Azure says it is open, and it is: both agree; when it is closed in the portal, the endpoint is probed again."""
    case.exists(properties={"enableNonSslPort": True})
    case.apply(key=False)
    wait_for(lambda: endpoint(case).get("nonTLSPort") == "Open", PATIENCE, "the open port")
    assert findings(case)["T4"] == "Fail"
    case.update({"enableNonSslPort": False})
    case.poke()
    wait_for(lambda: endpoint(case)["nonTLSPort"] in {"Closed", "NotAnswering"}, PATIENCE, "the closed port")
    case.until("TransportSecured", "True", "Secured")


@pytest.mark.parametrize("fault", ["hang", "reset", "http", "garbage", "trickle"])
def test_an_endpoint_that_reveals_nothing_is_unknown(case: Case, fault: str) -> None:
    """Never Pass, and no reason to be not Ready or less secured than Azure says."""
    case.published()
    probed(case)
    misbehave(case, fault)
    wait_for(lambda: {"chain", "TLS 1.0", "TLS 1.1", "certificate"} <= parts(case), PATIENCE, "unknown parts")
    assert endpoint(case).get("tlsVersions", []) in ([], ["1.2"])  # a trickled ServerHello says its version
    wait_for(lambda: "the probe could not check all" in case.condition("TransportSecured")[2], PATIENCE, "the message")
    assert case.condition("TransportSecured")[:2] == ("True", "Secured")
    assert findings(case)["T5"] == "Unknown"
    assert case.condition("Ready")[0] == "True"


def test_no_route_is_unknown_and_ready_does_not_wait(case: Case) -> None:
    """From the first check on: an auditor of a cache that it cannot reach."""
    case.exists()
    case.control.redis.listener_fault(case.cache, "hang")
    case.apply(key=False)
    case.until("Ready", "True")
    wait_for(lambda: "chain" in parts(case), PATIENCE, "the probe's end")
    assert {"T4", "T5"} <= {rule for rule, result in findings(case).items() if result == "Unknown"}
    assert case.condition("Ready")[0] == "True"


def test_an_endpoint_unreachable_according_to_azure_is_not_connected_to(case: Case) -> None:
    case.exists(private_endpoints=())
    case.apply(key=False)
    case.until("CacheAvailable", "False", "NoRoute")
    case.poke()
    assert endpoint(case) == {}
    assert "no approved private endpoint" in case.condition("TransportSecured")[2]
    assert findings(case)["T5"] == "Unknown"


def test_a_probe_that_is_switched_off_is_not_made(case: Case) -> None:
    """The operator cannot know that the endpoint is bad: it did not probe it."""
    case.exists()
    case.control.redis.listener_fault(case.cache, "self-signed-certificate")
    case.apply(key=False, transport={"probe": "Disabled"})
    case.until("Ready", "True")
    case.poke()
    case.poke()
    assert endpoint(case) == {}
    assert "probe" not in case.condition("TransportSecured")[2]
    assert {rule: findings(case)[rule] for rule in ("T4", "T5")} == {"T4": "Unknown", "T5": "Unknown"}
    assert probes(case) == 0
    case.change(transport={"probe": "Enabled"})
    case.until("TransportSecured", "False", "CertificateNotTrusted")
    case.change(transport={"probe": "Disabled"})
    case.until("TransportSecured", "True", "Secured")
    assert endpoint(case) == {}


def test_two_resources_of_one_cache_are_probed_once(case: Case) -> None:
    case.exists()
    case.apply(key=False)
    probed(case)
    other = Case(case.world, case.team, "second")
    other.apply(key=False, resourceID=case.team.cache_id(case.cache))
    other.until("Ready", "True")
    assert probed(other) == endpoint(case)
    assert probes(case) == 1
    asked = metric(case.world, "secureredis_certificate_not_after_timestamp_seconds")
    assert {case.cache, other.cache} <= {name for line in asked for name in (case.cache, other.cache) if name in line}


def test_a_probe_with_the_same_result_writes_nothing(case: Case) -> None:
    case.published()
    probed(case)
    case.poke()
    before = probes(case)
    mark = case.world.cluster.audit_position()
    case.poke()
    wait_for(lambda: probes(case) > before, PATIENCE, "another look")
    case.poke()
    writes = [e for e in case.world.cluster.audit_events(since=mark, user=USER) if e.is_write]
    mine = [e for e in writes if e.namespace == case.team.namespace]
    assert [e.subresource for e in mine] == ["status", "status"]  # the answers to the two refreshes


def probes(case: Case) -> int:
    """How many probes of the cache's endpoint are over."""
    made = [one for one in records(case.world) if one.get("message") == "an endpoint was probed"]
    return sum(one["host"].split(".")[0] == case.cache for one in made)


def records(world: World) -> list[dict[str, Any]]:
    """The log records of this world's operators."""
    lines = world.operator_log.read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


def metric(world: World, name: str) -> list[str]:
    """The samples of a metric of the running operator."""
    port = [one["port"] for one in records(world) if one.get("message") == "health and metrics are served"][-1]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    return [line for line in text.splitlines() if line.startswith(name)]
