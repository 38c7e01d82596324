"""Drift over time: reported before correction, never fought over, and a fleet's brakes; with restarts in between."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.azure.arm.activity_log import PORTAL_USER
from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.seeds import FirewallRule
from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import SUBSCRIPTION, World
from tests.integration.operator.conftest import leads
from tests.integration.operator.support import Case
from tests.integration.operator.test_provision import CORRECT, created, properties

PORT = "transport.nonTLSPort"
LEASE = {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {"name": "secure-redis-operator", "namespace": RELEASE_NAMESPACE},
}


def entry(case: Case, path: str = PORT) -> dict[str, Any]:
    """The drift entry of one path; empty if there is none."""
    return next((dict(one) for one in case.status.get("drift", []) if one["path"] == path), {})


def restart(world: World, *, kill: bool = False, **settings: Any) -> None:
    """Another process with this configuration leads."""
    world.stop_operator(kill=kill)
    world.start_operator(**settings)
    wait_for(lambda: leads(world), PATIENCE, "the operator to lead")


@contextmanager
def configured(world: World, **settings: Any) -> Iterator[None]:
    """The operator runs with other settings, and afterwards with its own again."""
    restart(world, **settings)
    try:
        yield
    finally:
        restart(world)


def port_is_open(case: Case) -> bool:
    return bool(properties(case)["enableNonSslPort"])


def noted(world: World) -> dict[str, str]:
    """The annotations of the operator's Lease."""
    return dict((world.api.find(LEASE) or {}).get("metadata", {}).get("annotations") or {})


def events(case: Case, reason: str) -> list[str]:
    """The notes of a resource's events with this reason."""
    path = f"/apis/events.k8s.io/v1/namespaces/{case.team.namespace}/events"
    found = case.world.api.get(path).must()["items"]
    return [one["note"] for one in found if one["reason"] == reason and one["regarding"]["name"] == case.cache]


def test_the_clock_notices_a_change_without_a_request(case: Case) -> None:
    """Nothing wakes the resource: no edit, no annotation, no write in Kubernetes. Its interval ends."""
    case.exists(properties={"enableNonSslPort": False})
    case.apply(key=False, drift={"intervalSeconds": 30})
    case.until("DriftDetected", "False", "NoDrift")
    case.update({"enableNonSslPort": True})
    wait_for(lambda: entry(case) != {}, 120, "the next check of the clock")
    case.until("TransportSecured", "False", "NonTLSPortOpen")


def test_the_effect_of_a_correction_is_reported_before_it_is_made(build: Case) -> None:
    created(build, **CORRECT)
    build.update({"enableNonSslPort": True})
    build.poke()
    wait_for(lambda: not port_is_open(build), PATIENCE, "the correction")
    build.until("DriftDetected", "False", "NoDrift")
    wait_for(lambda: events(build, "Correcting"), PATIENCE, "the event")
    assert "from Enabled to Disabled: correcting it drops the connections" in events(build, "Correcting")[0]
    assert build.status["corrections"][0]["count"] == 1


def test_the_last_way_in_is_closed_only_when_asked(build: Case) -> None:
    created(build, **CORRECT)
    build.change(network={"publicAccess": "Disabled", "firewallRules": None})
    message = build.until("DriftDetected", "True", "WouldDisconnect")
    assert "secureredis.io/allow-disruption: network.publicAccess" in message
    assert entry(build, "network.publicAccess")["effect"] == "Disconnects"
    assert properties(build)["publicNetworkAccess"] == "Enabled"
    build.annotate(allow_disruption="network")
    build.poke()
    assert properties(build)["publicNetworkAccess"] == "Enabled"
    build.annotate(allow_disruption="network.publicAccess")
    wait_for(lambda: properties(build)["publicNetworkAccess"] == "Disabled", PATIENCE, "public access to go off")


def test_a_contested_value_is_left_across_restarts(world: World, build: Case) -> None:
    created(build, **CORRECT)
    build.update({"enableNonSslPort": True})
    build.poke()
    wait_for(lambda: not port_is_open(build), PATIENCE, "the first correction")
    build.until("DriftDetected", "False", "NoDrift")
    build.update({"enableNonSslPort": True})
    restart(world, kill=True)
    wait_for(lambda: not port_is_open(build), PATIENCE, "the second correction")
    wait_for(
        lambda: build.condition("DriftDetected")[:2] == ("False", "NoDrift"), PATIENCE, "the second correction's end"
    )
    build.update({"enableNonSslPort": True})
    restart(world, kill=True)
    message = build.until("DriftDetected", "True", "Contested")
    assert PORT in message
    assert entry(build)["corrections"] == 2
    made = len(build.writes())
    restart(world)
    asked = build.status["corrections"]
    build.annotate(approve_rotation="wakes it")
    build.until("DriftDetected", "True", "Contested")
    assert (len(build.writes()), build.status["corrections"]) == (made, asked)
    assert port_is_open(build)
    build.poke()  # a user decides
    wait_for(lambda: not port_is_open(build), PATIENCE, "the correction that was asked for")


def test_read_only_writes_nothing_and_is_reported(world: World, build: Case) -> None:
    created(build, **CORRECT)
    with configured(world, brakes={"readOnly": True}):
        made = len(build.writes())
        build.update({"enableNonSslPort": True})
        build.poke()
        build.until("DriftDetected", "True", "ReadOnly")
        build.poke()
        assert entry(build)["reason"] == "ReadOnly"
        assert len(build.writes()) == made
        assert build.condition("Ready")[0] == "True"
    wait_for(lambda: not port_is_open(build), PATIENCE, "the correction")


def test_the_hourly_cap_is_reported_and_the_work_continues_later(world: World, build: Case) -> None:
    created(build, **CORRECT)
    with configured(world, brakes={"correctionsPerHour": 0}):
        build.update({"enableNonSslPort": True})
        build.poke()
        build.until("DriftDetected", "True", "Capped")
        assert port_is_open(build)
    wait_for(lambda: not port_is_open(build), PATIENCE, "the correction")


def test_mass_drift_stops_until_released_and_outlives_a_crash(world: World, build: Case) -> None:
    created(build, **CORRECT)
    tight = {"massDrift": {"share": 0.01, "atLeast": 1, "minimumCorrections": 1}}
    with configured(world, brakes=tight):
        build.update({"enableNonSslPort": True})
        build.poke()
        build.until("DriftDetected", "True", "MassDrift")
        wait_for(lambda: noted(world).get("secureredis.io/mass-drift"), PATIENCE, "the Lease to remember it")
        restart(world, kill=True)  # with the limits that would let one through
        build.poke()
        build.until("DriftDetected", "True", "MassDrift")
        assert port_is_open(build)
        restart(world, brakes={"release": "checked"})
        wait_for(lambda: not port_is_open(build), PATIENCE, "the correction after the release")


@pytest.mark.parametrize("before", ["0.0.1", pytest.param(None, marks=pytest.mark.slow)])
def test_after_an_upgrade_the_first_pass_only_reports(world: World, build: Case, before: str | None) -> None:
    created(build, **CORRECT)
    world.stop_operator()
    world.api.merge(LEASE, {"metadata": {"annotations": {"secureredis.io/version": before}}}).must()
    build.update({"enableNonSslPort": True})
    world.start_operator()
    build.until("DriftDetected", "True", "FirstLook")
    assert port_is_open(build)
    build.poke()
    wait_for(lambda: not port_is_open(build), PATIENCE, "the second look to correct it")


def test_a_cache_that_is_gone_is_drift(build: Case) -> None:
    created(build)
    build.control.redis.delete(build.cache)
    build.heal("CacheAvailable", "False", "CacheGone")
    build.until("DriftDetected", "True", "CacheGone")
    assert [one["path"] for one in build.status["drift"]] == ["resourceID"]


def test_the_author_is_reported_where_the_activity_log_may_be_read(build: Case) -> None:
    created(build)
    build.poke()
    build.update({"enableNonSslPort": True})
    build.poke()
    build.until("DriftDetected", "True", "Drifted")
    wait_for(lambda: entry(build).get("by") == PORTAL_USER, PATIENCE, "who set it")
    since = build.control.log.position()
    for _ in range(3):
        build.poke()
    assert not [r for r in build.control.log.requests(since) if "eventtypes" in r.path.lower()]


def test_without_the_right_drift_is_still_reported_and_the_log_is_read_once(build: Case) -> None:
    build.control.access.unassign(build.team.object_id, seeds.subscription_scope(SUBSCRIPTION))
    created(build)
    mark = build.control.log.position()
    build.update({"enableNonSslPort": True})
    build.poke()
    build.until("DriftDetected", "True", "Drifted")
    build.poke()
    build.update({"minimumTlsVersion": "1.0"})
    build.poke()
    wait_for(lambda: len(build.status["drift"]) == 2, PATIENCE, "the second difference")
    assert "by" not in entry(build)
    asked = [r for r in build.control.log.requests(mark) if "eventtypes" in r.path.lower()]
    # Once for who made a difference; and by each requested check: a permission may have been given since.
    looks = 3
    assert [r.status for r in asked] == [403] * (1 + looks)
    assert build.condition("Ready")[0] == "True"


def test_the_author_of_a_firewall_rule_is_the_writer_of_that_rule(build: Case) -> None:
    declared = {"name": "office", "startIP": "203.0.113.1", "endIP": "203.0.113.1"}
    created(build, network={"publicAccess": "Enabled", "firewallRules": [declared]})
    added = FirewallRule(name="home", start="203.0.113.9", end="203.0.113.9")
    kept = FirewallRule(name="office", start="203.0.113.1", end="203.0.113.1")
    build.update(firewall_rules=[kept, added])
    build.poke()
    path = "network.firewallRules[home]"
    wait_for(lambda: entry(build, path).get("by") == PORTAL_USER, 10, "who added it")


def test_a_correction_waits_for_its_window(build: Case) -> None:
    opens = datetime.now(UTC) + timedelta(hours=12)
    window = {"schedule": f"{opens.minute} {opens.hour} * * *", "durationMinutes": 60}
    created(build, drift={**CORRECT["drift"], "windows": [window]})
    build.update({"enableNonSslPort": True})
    build.poke()
    build.until("DriftDetected", "True", "OutsideWindow")
    build.poke()
    assert port_is_open(build)
    assert f"opens at {opens:%Y-%m-%dT%H:%M}:00Z" in build.condition("DriftDetected")[2]
    build.annotate(allow_disruption=PORT)
    wait_for(lambda: not port_is_open(build), 30, "the correction that was requested by name")
