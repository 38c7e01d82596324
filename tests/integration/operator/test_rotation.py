"""Led rotation by the running operator: real pods, the real SDKs, and every way in which it can go wrong."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.azure.seeds import seeds
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import CACHE_KEYS, CACHE_READ, CACHE_ROTATE, VAULT_READ, VAULT_WRITE, Team, World
from secure_redis.domain.plan.rollout.pod_keys import START_MARGIN
from tests.integration.operator.conftest import INTERVALS
from tests.integration.operator.rotation_support import (
    answered,
    ask,
    authentication,
    holds,
    leader,
    led,
    lone,
    newest_of,
    poked,
    ready,
    regenerated,
    rotation,
    until,
)
from tests.integration.operator.support import Case, release
from tests.integration.operator.workload_support import SLEEP, Target, current, path, world_with_pods

Json = dict[str, Any]
UPDATE = "Microsoft.KeyVault/vaults/secrets/update/action"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, hosts: Path, domain: str) -> Iterator[World]:
    """Pods run here, and the operator checks an unclear regeneration again after two seconds."""
    intervals = {**INTERVALS, "regenerationSettleSeconds": 2.0}
    with world_with_pods(tmp_path_factory, hosts, domain, intervals) as running:
        yield running


@pytest.fixture
def team(world: World) -> Iterator[Team]:
    made = world.team(cache_actions=CACHE_READ + CACHE_KEYS + CACHE_ROTATE, vault_actions=VAULT_READ + VAULT_WRITE)
    yield made
    for kind in ("Deployment", "StatefulSet", "DaemonSet", "CronJob"):
        world.api.call("DELETE", path(kind, made.namespace)).must()
    world.api.call("DELETE", f"/api/v1/namespaces/{made.namespace}/pods?gracePeriodSeconds=0").must()
    release(world, made)


@pytest.fixture
def case(world: World, team: Team) -> Iterator[Case]:
    made = Case(world, team)
    yield made
    made.mend_faults()
    world.control.faults.clear()


# --- what is wanted -------------------------------------------------------------------------------------------------


def test_both_keys_are_new_and_every_pod_uses_the_current_one(case: Case) -> None:
    web, jobs = Target(case, "web", replicas=2), Target(case, "jobs", "StatefulSet")
    ready(case, **led(case), workloads=[web.entry(), jobs.entry()])
    current(case)
    before = dict(case.keys)
    asked = ask(case)
    answered(case, asked)
    assert regenerated(case) == ["Secondary", "Primary"]
    after = case.keys
    assert before["Primary"] != after["Primary"]
    assert before["Secondary"] != after["Secondary"]
    holds(case, "Secondary")
    newest = newest_of(case)
    assert web.version() == jobs.version() == newest.version
    told = rotation(case)
    assert (told["phase"], told["target"], told["request"]) == ("Completed", "Secondary", asked)
    assert case.condition("Ready")[0] == "True"
    assert case.condition("WorkloadsCurrent")[0] == "True"
    case.poke()
    case.poke()
    assert regenerated(case) == ["Secondary", "Primary"]
    answered(case, ask(case))
    holds(case, "Primary")
    assert regenerated(case) == ["Secondary", "Primary", "Primary", "Secondary"]


def test_with_possible_other_consumers_the_first_needs_approval_and_the_old_key_lives_on(case: Case) -> None:
    ready(case, **led(case, otherConsumers="Possible", minimumOverlapHours=1))
    asked = ask(case)
    message = until(case, "Waiting", "ApprovalRequired")
    version = newest_of(case).version
    assert f"secureredis.io/approve-rotation: {version}" in message
    assert "Secondary" in message
    assert regenerated(case) == []
    before = dict(case.keys)
    case.annotate(approve_rotation=version)
    answered(case, asked)
    holds(case, "Secondary")
    assert regenerated(case) == ["Secondary"]
    assert case.keys["Primary"] == before["Primary"], "the old key serves consumers that nobody sees"
    ask(case)
    until(case, "Waiting", "OverlapNotOver")
    case.poke()
    assert regenerated(case) == ["Secondary"]
    case.change(authentication={"rotation": {"minimumOverlapHours": 0}})
    wait_for(lambda: regenerated(case) == ["Secondary", "Primary"], PATIENCE, "the second rotation")


def test_an_emergency_needs_neither_approval_nor_overlap_and_ends_both_keys(case: Case) -> None:
    web = Target(case, "web")
    ready(case, **led(case, otherConsumers="Possible"), workloads=[web.entry()])
    current(case)
    before = dict(case.keys)
    answered(case, ask(case, "emergency-leaked"))
    assert regenerated(case) == ["Secondary", "Primary"]
    assert not set(before.values()) & set(case.keys.values())
    holds(case, "Secondary")


def test_the_schedule_rotates_by_itself(case: Case) -> None:
    """The vault's owner says how long a key is valid, and the version is older than that."""
    arguments = led(case)
    tags = {
        "ProviderAddress": case.team.cache_id(case.cache),
        "CredentialId": "Primary",
        "ValidityPeriodDays": "60",
        "team": "shop",
    }
    month = 31 * 86400
    old = seeds.SecretVersion(value=case.keys["Primary"], tags=tags, created=int(case.control.clock.now()) - month)
    case.control.keyvault.set_secret(case.team.name, case.cache, old)
    ready(case, **arguments)
    wait_for(lambda: regenerated(case) == ["Secondary", "Primary"], PATIENCE, "the scheduled rotation")
    until(case, "Completed")
    holds(case, "Secondary")
    newest = newest_of(case)
    assert newest.tags is not None
    assert (newest.tags["ValidityPeriodDays"], newest.tags["team"]) == ("60", "shop")
    assert newest.expires is not None
    wait_for(lambda: "dueAt" in rotation(case), PATIENCE, "the next pass to report when the key is due again")


def test_a_rotation_that_is_not_due_is_scheduled(case: Case) -> None:
    ready(case, **led(case, intervalDays=60))
    until(case, "Scheduled", "RotationScheduled")
    assert "dueAt" in rotation(case)
    assert regenerated(case) == []


def test_a_window_that_is_closed_is_waited_for_and_a_request_is_not(case: Case) -> None:
    arguments = led(case, windows=[{"schedule": "0 3 1 1 *", "durationMinutes": 15, "timeZone": "Europe/Berlin"}])
    arguments["authentication"]["rotation"]["intervalDays"] = 1
    tags = {"ProviderAddress": case.team.cache_id(case.cache), "CredentialId": "Primary"}
    old = seeds.SecretVersion(value=case.keys["Primary"], tags=tags, created=int(case.control.clock.now()) - 3 * 86400)
    case.control.keyvault.set_secret(case.team.name, case.cache, old)
    ready(case, **arguments)
    message = until(case, "Waiting", "OutsideWindow")
    assert "opens at" in message
    assert regenerated(case) == []
    answered(case, ask(case))
    assert regenerated(case) == ["Secondary", "Primary"]


def test_a_request_that_is_there_from_the_start_counts_as_answered(case: Case) -> None:
    ready(case, **led(case), annotations={"secureredis.io/rotate": "old"})
    case.poke()
    assert case.status["lastHandled"]["rotate"] == "old"
    assert regenerated(case) == []


# --- who may ----------------------------------------------------------------------------------------------------------


def test_only_the_leader_rotates(case: Case) -> None:
    case.exists()
    case.apply(key=False, authentication=authentication(case, {}))
    message = case.until("CredentialsSynced", "False", "NotLeading")
    (tag, value) = next(iter(leader(case).items()))
    assert f"{tag} to {value}" in message
    case.update(tags=leader(case))
    case.heal()
    case.update(tags=leader(case, "another"))
    ask(case)
    case.poke()
    until(case, "Waiting", "NotLeading")
    assert regenerated(case) == []


def test_a_reader_cannot_rotate(case: Case) -> None:
    case.published()
    ask(case)
    until(case, "Waiting", "RotationReadOnly")
    assert case.condition("Ready")[0] == "True"
    assert case.writes() == []
    case.annotate(rotate=None)
    wait_for(lambda: not rotation(case), PATIENCE, "the withdrawn request to be forgotten")


def test_linked_caches_are_not_rotated(case: Case) -> None:
    linked = case.team.cache_id("elsewhere")
    ready(case, **led(case, cache={"properties": {"linkedServers": [{"id": linked}]}}))
    ask(case)
    assert "elsewhere" in until(case, "Waiting", "GeoReplicated")
    assert regenerated(case) == []


def test_a_forced_emergency_needs_the_operators_leave(case: Case) -> None:
    ready(case, **led(case))
    ask(case, "emergency-force-now")
    assert "emergency-" in until(case, "Waiting", "ForceNotAllowed")
    assert regenerated(case) == []


def test_without_the_right_to_regenerate_nothing_changes(case: Case) -> None:
    arguments = led(case)
    case.control.access.unassign(case.team.object_id, case.team.group_scope)
    case.allow(*CACHE_READ, *CACHE_KEYS)
    ready(case, **arguments)
    before = dict(case.keys)
    ask(case)
    wait_for(lambda: rotation(case).get("reason") == "AzureDenied", PATIENCE, "the refusal to be told")
    assert case.keys == before
    assert case.condition("Ready")[0] == "True"
    case.allow(*CACHE_ROTATE)
    wait_for(lambda: bool(poked(case)) and regenerated(case) == ["Secondary", "Primary"], PATIENCE, "the rotation")


def test_a_vault_that_cannot_be_written_is_noticed_before_a_key_is_touched(case: Case) -> None:
    ready(case, **led(case))
    case.control.access.unassign(case.team.object_id, case.team.vault_scope)
    case.allow(scope=case.team.vault_scope, data=VAULT_READ)
    before = dict(case.keys)
    asked = ask(case)
    wait_for(lambda: rotation(case).get("reason") == "VaultForbidden", PATIENCE, "the refusal to be told")
    assert UPDATE.split("/")[-2] in rotation(case)["message"]
    assert case.keys == before
    assert case.condition("Ready")[0] == "True"
    case.allow(scope=case.team.vault_scope, data=VAULT_WRITE)
    wait_for(lambda: bool(poked(case)) and bool(regenerated(case)), PATIENCE, "the rotation to begin")
    answered(case, asked)


def test_a_new_key_that_cannot_be_stored_is_not_lost(case: Case) -> None:
    ready(case, **led(case))
    case.control.access.unassign(case.team.object_id, case.team.vault_scope)
    case.allow(scope=case.team.vault_scope, data=(*VAULT_READ, UPDATE))
    held = case.values()["password"]
    asked = ask(case)
    wait_for(lambda: regenerated(case) == ["Secondary"], PATIENCE, "the regeneration")
    until(case, "Regenerating", "VaultForbidden")
    assert case.values()["password"] == held == case.keys["Primary"], "what is published works as before"
    case.allow(scope=case.team.vault_scope, data=VAULT_WRITE)
    wait_for(lambda: poked(case)["phase"] == "Completed", PATIENCE, "the rotation")
    answered(case, asked)
    assert regenerated(case) == ["Secondary", "Primary"]
    holds(case, "Secondary")


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble",
    ["failed", "lost", "locked", *(pytest.param(one, marks=pytest.mark.slow) for one in ("throttled", "gateway"))],
)
def test_each_slot_is_regenerated_once_whatever_azure_answers(case: Case, trouble: str) -> None:
    ready(case, **led(case))
    case.control.faults.add_regeneration(case.cache, trouble, seconds=1.0)  # type: ignore[arg-type]
    asked = ask(case)
    wait_for(lambda: bool(poked(case)) and regenerated(case)[:1] == ["Secondary"], PATIENCE, "the first regeneration")
    answered(case, asked)
    assert regenerated(case) == ["Secondary", "Primary"]
    holds(case, "Secondary")


def test_a_key_that_the_cache_does_not_accept_yet_is_not_stored(case: Case) -> None:
    with case.control.settings.during(new_key_accepted_after_seconds=4.0):
        ready(case, **led(case))
        asked = ask(case)
        until(case, "Regenerating", "KeyNotAccepted")
        assert len(case.control.keyvault.secret_versions(case.team.name, case.cache)) == 1
        answered(case, asked)
    holds(case, "Secondary")


@pytest.mark.parametrize("slot", ["Primary", "Secondary"])
def test_a_key_is_regenerated_in_the_portal_during_the_rollout(case: Case, slot: str) -> None:
    web = Target(case, "web", replicas=2)
    ready(case, **led(case), workloads=[web.entry()])
    current(case)
    web.patch({"spec": {"paused": True}})
    asked = ask(case)
    until(case, "RollingOut", "TargetPaused")
    case.control.redis.regenerate(case.cache, slot)
    case.poke()
    web.patch({"spec": {"paused": False}})
    answered(case, asked)
    current(case)
    holds(case, "Secondary")
    newest = newest_of(case)
    assert web.version() == newest.version


def test_a_foreign_key_ends_the_rotation(case: Case) -> None:
    web = Target(case, "web")
    ready(case, **led(case), workloads=[web.entry()])
    current(case)
    web.patch({"spec": {"paused": True}})
    asked = ask(case)
    until(case, "RollingOut", "TargetPaused")
    tags = {"ProviderAddress": case.team.cache_id(case.cache), "CredentialId": "Primary"}
    case.store(case.keys["Primary"], tags=tags)
    case.poke()
    until(case, "Superseded")
    answered(case, asked)
    web.patch({"spec": {"paused": False}})
    current(case)
    assert regenerated(case) == ["Secondary"]
    holds(case, "Primary")


# --- who holds what ---------------------------------------------------------------------------------------------------


def test_a_pod_that_is_not_listed_blocks_until_it_is_restarted(case: Case) -> None:
    ready(case, **led(case))
    # Within a margin after the publication, a pod may have read the Secret just before it.
    safe = datetime.fromisoformat(case.status["credential"]["publishedAt"]) + START_MARGIN + timedelta(seconds=2)
    wait_for(lambda: datetime.now(UTC) > safe, PATIENCE, "the margin after the publication to be over")
    lone(case)
    asked = ask(case)
    # It was started with the current key: the alternate one may be regenerated, the one it holds may not.
    message = until(case, "RollingOut", "HoldersBehind")
    assert "lone" in message
    assert rotation(case)["holders"] == {"count": 1, "names": ["lone"]}
    assert regenerated(case) == ["Secondary"]
    space = case.team.namespace
    case.world.api.call("DELETE", f"/api/v1/namespaces/{space}/pods/lone?gracePeriodSeconds=0").must()
    answered(case, asked)
    assert regenerated(case) == ["Secondary", "Primary"]


def test_a_failed_rollout_stops_before_a_key_dies(case: Case) -> None:
    web = Target(case, "web")
    ready(case, **led(case), workloads=[web.entry()])
    current(case)
    before = dict(case.keys)
    broken = {"containers": [{"name": "main", "image": "sandbox.test/none:1"}]}
    web.patch({"spec": {"progressDeadlineSeconds": 2, "template": {"spec": broken}}})
    asked = ask(case)
    wait_for(lambda: rotation(case).get("reason") == "RolloutFailed", PATIENCE, "the failure to be told")
    assert case.keys["Primary"] == before["Primary"]
    web.patch({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": SLEEP}]}}}})
    answered(case, asked)
    assert not set(before.values()) & set(case.keys.values())


def test_two_requests_at_once_are_two_rotations_one_after_the_other(case: Case) -> None:
    web = Target(case, "web")
    ready(case, **led(case), workloads=[web.entry()])
    current(case)
    ask(case, "first")
    wait_for(lambda: regenerated(case), PATIENCE, "the first to begin")
    answered(case, ask(case, "second"))
    assert regenerated(case) == ["Secondary", "Primary", "Primary", "Secondary"]
    holds(case, "Primary")


def test_no_secret_is_in_status_or_events(case: Case) -> None:
    ready(case, **led(case))
    before = dict(case.keys)
    answered(case, ask(case))
    events = case.world.api.get(f"/apis/events.k8s.io/v1/namespaces/{case.team.namespace}/events").must()
    text = f"{case.object}{events}{case.world.operator_log.read_text()}"
    assert not [key for key in (*before.values(), *case.keys.values()) if key in text]
    first = case.control.keyvault.secret_versions(case.team.name, case.cache)[0]
    assert "secureredis-rotation" in (first.tags or {})
