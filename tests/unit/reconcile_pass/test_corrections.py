"""Corrections over several passes: reported first, with consent where grave, never contested, not repeated."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from secure_redis.api import names
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.resource import SecureRedisCache, parse
from secure_redis.domain.grants import Grant, GrantPolicy, Power, SkuLimit
from secure_redis.domain.observe.redis import PersistenceFacts, Redis
from secure_redis.domain.plan.actions import Action, UpdateCache
from secure_redis.domain.plan.outcomes import Done, Failed, Outcome
from secure_redis.domain.plan.plan import plan
from secure_redis.domain.plan.types import Settings
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.domain.report.report import Report, report
from tests.builders.passes import OWNER, PROVISION, SETTINGS, cache, judged, observation
from tests.builders.world import CACHE_ID, NOW, UID

CORRECTING = {"mode": "Provision", "provision": PROVISION, "drift": {"correct": ["Security", "Availability"]}}
OPEN = cache(tags=OWNER, plaintext_open=True)
SAFE = cache(tags=OWNER)
PORT = "transport.nonTLSPort"


@dataclass
class Story:
    """Passes over one resource, with its status carried from one to the next as the API server would."""

    spec: dict[str, Any] = field(default_factory=lambda: dict(CORRECTING))
    status: dict[str, Any] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=lambda: {names.REFRESH: "first"})
    generation: int = 1
    minutes: float = 0.0
    events: list[tuple[str, str]] = field(default_factory=list)
    settings: Settings = SETTINGS

    def resource(self) -> SecureRedisCache:
        meta = {
            "namespace": "shop",
            "name": "orders",
            "uid": UID,
            "generation": self.generation,
            "resourceVersion": "7",
            "annotations": self.annotations,
        }
        parsed = parse({"metadata": meta, "spec": {"resourceID": CACHE_ID, **self.spec}, "status": self.status})
        assert isinstance(parsed, SecureRedisCache)
        return parsed

    def look(self, facts: Redis, refusal: Reason | None = None) -> tuple[Action, ...]:
        """One pass; its actions are done, or refused for good by Azure."""
        resource = self.resource()
        obs = replace(observation(cache=facts), now=NOW + timedelta(minutes=self.minutes))
        assessed = judged(resource, obs)
        todo = plan(resource, obs, assessed, self.settings)
        outcomes: tuple[Outcome, ...] = tuple(
            Done(one)
            if refusal is None
            else Failed(one, WriteFailure(refusal, "policy 'tls' forbids it", permanent=True))
            for one in todo.actions
        )
        self.told: Report = report(resource, obs, assessed, todo, outcomes)
        self.status = self.told.status.document()
        self.events += [(event.reason, event.note) for event in self.told.events]
        self.minutes += 5
        return todo.actions

    def drift(self, path: str = PORT) -> dict[str, Any]:
        return next(dict(one) for one in self.status["drift"] if one["path"] == path)

    def says(self) -> str | None:
        condition = self.told.status.condition(ConditionType.DRIFT_DETECTED)
        return condition.reason if condition else None

    def corrected(self) -> None:
        """A user opens the port; it is reported, corrected, and observed to be closed."""
        assert self.look(OPEN) == ()
        (action,) = self.look(OPEN)
        assert isinstance(action, UpdateCache)
        assert self.look(SAFE) == ()


def test_the_effect_of_a_correction_is_reported_before_it_is_made() -> None:
    story = Story()
    assert story.look(OPEN) == ()
    assert story.drift()["effect"] == "DropsConnections"
    told = [note for reason, note in story.events if reason == Reason.CORRECTING]
    assert len(told) == 1
    assert "from Enabled to Disabled: correcting it drops the connections" in told[0]
    assert len(story.look(OPEN)) == 1
    assert len([1 for reason, _ in story.events if reason == Reason.CORRECTING]) == 1


def test_a_value_that_comes_back_twice_is_left_and_reported_without_flapping() -> None:
    story = Story()
    story.corrected()
    assert story.status["corrections"][0]["count"] == 1
    story.corrected()
    assert story.look(OPEN) == ()
    assert (story.drift()["reason"], story.drift()["corrections"]) == ("Contested", 2)
    assert story.says() == Reason.CONTESTED
    before = story.status
    for _ in range(400):  # more than a day
        assert story.look(OPEN) == ()
    assert story.status == before


@pytest.mark.parametrize("again", ["spec", "refresh"])
def test_a_contested_correction_ends_with_a_decision(again: str) -> None:
    story = Story()
    story.corrected()
    story.corrected()
    story.look(OPEN)
    if again == "spec":
        story.generation = 2
    else:
        story.annotations = {names.REFRESH: "second"}
    actions = story.look(OPEN)
    assert len(actions) == 1  # it was reported long ago
    assert story.status["corrections"] == [
        {"path": PORT, "count": 1, "at": story.status["corrections"][0]["at"], "generation": story.generation}
    ]


def test_two_changes_in_two_months_are_not_contested() -> None:
    story = Story()
    for _ in range(4):
        story.corrected()
        story.minutes += 3 * 24 * 60
        story.look(SAFE)
        assert "corrections" not in story.status or story.status["corrections"] == []


def test_a_contested_path_blocks_no_other() -> None:
    story = Story()
    story.corrected()
    story.corrected()
    both = replace(OPEN, minimum_tls_version="1.0")
    story.look(both)
    (action,) = story.look(both)
    assert isinstance(action, UpdateCache)
    assert action.fields == ("minimumTlsVersion",)


def test_a_write_denied_by_policy_is_reported_and_not_tried_within_the_hour_across_restarts() -> None:
    story = Story()
    story.look(OPEN)
    assert len(story.look(OPEN, Reason.DENIED_BY_POLICY)) == 1
    assert story.says() == Reason.DENIED_BY_POLICY
    assert story.told.next_pass_in == 300  # reading goes on
    ready = story.told.status.condition(ConditionType.READY)
    for _ in range(11):
        assert story.look(OPEN, Reason.DENIED_BY_POLICY) == ()
        assert story.says() == Reason.DENIED_BY_POLICY
        assert story.drift()["reason"] == "DeniedByPolicy"
        now = story.told.status.condition(ConditionType.READY)
        assert ready is not None
        assert now is not None
        assert (now.status, now.reason) == (ready.status, ready.reason)
    assert "policy 'tls' forbids it" in story.status["corrections"][0]["message"]
    assert len(story.look(OPEN)) == 1
    assert "reason" not in story.status["corrections"][0]


CLOSING = cache(tags=OWNER, public_network_access="Enabled", private_endpoints=())


def test_the_last_route_is_closed_only_when_requested_by_path() -> None:
    story = Story()
    for value in ("true", "*", "transport.nonTLSPort"):
        story.annotations = {names.REFRESH: "first", names.ALLOW_DISRUPTION: value}
        assert story.look(CLOSING) == ()
        assert story.says() == Reason.WOULD_DISCONNECT
        assert story.drift("network.publicAccess")["effect"] == "Disconnects"
    message = story.told.status.condition(ConditionType.DRIFT_DETECTED)
    assert message is not None
    assert "secureredis.io/allow-disruption: network.publicAccess" in message.message
    story.annotations = {names.REFRESH: "first", names.ALLOW_DISRUPTION: "network.publicAccess"}
    (action,) = story.look(CLOSING)
    assert action == UpdateCache({"properties": {"publicNetworkAccess": "Disabled"}}, ("publicNetworkAccess",))


def test_differences_that_need_another_cache_are_never_written_even_on_request() -> None:
    lower = {**CORRECTING, "provision": {**PROVISION, "redis": {"sku": {"name": "Standard", "capacity": 1}}}}
    story = Story(spec=lower, annotations={names.REFRESH: "first", names.ALLOW_DISRUPTION: "provision.redis.sku.name"})
    for _ in range(3):
        assert story.look(SAFE) == ()
    assert story.drift("provision.redis.sku.name")["effect"] == "NeedsReplacement"


# --- what spec.provision declares -----------------------------------------------------------------------------------

ALL = {"correct": ["Security", "Availability", "Cosmetic"]}
IDS = ["/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/orders"]


def tuned(**settings: Any) -> dict[str, Any]:
    return {"redis": {"sku": {"name": "Standard", "capacity": 1}, **settings}}


SETTINGS_OF: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], str]] = [
    ({"tags": {"team": "orders"}}, {"tags": {**OWNER, "cost": "7", "Team": "x"}}, {}, "provision.tags[team]"),
    ({"identity": {"type": "SystemAssigned"}}, {}, {}, "provision.identity.type"),
    (
        {"identity": {"type": "SystemAssigned, UserAssigned", "userAssignedIDs": IDS}},
        {"identity_type": "UserAssigned", "user_assigned_ids": ("/old",)},
        {"identity": {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {IDS[0]: {}}}},
        "provision.identity.type",
    ),
    (
        tuned(evictionPolicy="AllKeysLFU"),
        {"eviction_policy": "volatile-lru"},
        {"properties": {"redisConfiguration": {"maxmemory-policy": "allkeys-lfu"}}},
        "provision.redis.evictionPolicy",
    ),
    (
        tuned(memoryReservedMB=200),
        {"memory_reserved_mb": 300},
        {"properties": {"redisConfiguration": {"maxmemory-reserved": "200"}}},
        "provision.redis.memoryReservedMB",
    ),
    (
        tuned(updateChannel="Stable"),
        {"update_channel": "Preview"},
        {"properties": {"updateChannel": "Stable"}},
        "provision.redis.updateChannel",
    ),
    (
        {"redis": {"sku": {"name": "Premium", "capacity": 2}}},
        {"sku_name": "Premium", "sku_family": "P", "sku_capacity": 1},
        {"properties": {"sku": {"name": "Premium", "family": "P", "capacity": 2}}},
        "provision.redis.sku.capacity",
    ),
    (
        {"redis": {"sku": {"name": "Standard", "capacity": 2}}},
        {"sku_name": "Basic", "sku_family": "C", "sku_capacity": 1},
        {"properties": {"sku": {"name": "Standard", "family": "C", "capacity": 1}}},
        "provision.redis.sku.name",
    ),
    (
        {"redis": {"sku": {"name": "Standard", "capacity": 1}, "redisVersion": "6"}},
        {"redis_version": "4.0.14"},
        {"properties": {"redisVersion": "6"}},
        "provision.redis.redisVersion",
    ),
    (
        {"redis": {"sku": {"name": "Premium", "capacity": 1}, "shards": 3}},
        {"sku_name": "Premium", "sku_family": "P", "sku_capacity": 1, "shards": 2},
        {"properties": {"shardCount": 3}},
        "provision.redis.shards",
    ),
]
STANDARD = {"sku_name": "Standard", "sku_family": "C", "sku_capacity": 1}


def settings_story(declared: dict[str, Any], *, ask: str = "") -> Story:
    provision = {"location": "westeurope", "redis": {"sku": {"name": "Standard", "capacity": 1}}, **declared}
    story = Story(spec={"mode": "Provision", "provision": provision, "drift": ALL})
    if ask:
        story.annotations[names.ALLOW_DISRUPTION] = ask
    return story


@pytest.mark.parametrize(("declared", "changes", "body", "path"), SETTINGS_OF)
def test_a_declared_setting_is_corrected_where_it_is_requested(
    declared: dict[str, Any], changes: dict[str, Any], body: dict[str, Any], path: str
) -> None:
    drifted = cache(**{"tags": OWNER, **STANDARD, **changes})
    requested = "provision.redis.sku.name,provision.redis.sku.capacity,provision.redis.shards,"
    story = settings_story(declared, ask=f"{requested}provision.redis.redisVersion,provision.identity.type")
    assert story.look(drifted) == (), "the first pass reports"
    (action,) = story.look(drifted)
    assert isinstance(action, UpdateCache)
    assert [one["path"] for one in story.status["corrections"]] == [path]
    if body:
        assert action.body == body
    if "tags" in declared:
        assert action.body == {"tags": {**OWNER, "cost": "7", "team": "orders"}}, "tags of others stay"


@pytest.mark.parametrize(("declared", "changes", "body", "path"), SETTINGS_OF[6:])
def test_nothing_that_restarts_the_cache_is_corrected_without_a_request(
    declared: dict[str, Any], changes: dict[str, Any], body: dict[str, Any], path: str
) -> None:
    assert body
    drifted, story = cache(**{"tags": OWNER, **STANDARD, **changes}), settings_story(declared)
    assert [story.look(drifted) for _ in range(3)] == [(), (), ()]
    assert story.drift(path)["reason"] == Reason.DISRUPTION_NOT_ALLOWED


def test_settings_of_memory_are_one_request() -> None:
    story = settings_story(tuned(evictionPolicy="NoEviction", memoryReservedMB=100))
    drifted = cache(tags=OWNER, **STANDARD, eviction_policy="allkeys-lru", memory_reserved_mb=200)
    story.look(drifted)
    (action,) = story.look(drifted)
    settings = {"maxmemory-policy": "noeviction", "maxmemory-reserved": "100"}
    fields = ("redisConfiguration.maxmemory-policy", "redisConfiguration.maxmemory-reserved")
    assert action == UpdateCache({"properties": {"redisConfiguration": settings}}, fields)
    paths = ["provision.redis.evictionPolicy", "provision.redis.memoryReservedMB"]
    assert sorted(one["path"] for one in story.status["corrections"]) == paths


@pytest.mark.parametrize(
    ("setting", "changes", "path"),
    [
        # Reserved memory is no longer there for data.
        ({"memoryReservedMB": 300}, {"memory_reserved_mb": 200}, "provision.redis.memoryReservedMB"),
        ({"memoryReservedMB": 300}, {"memory_reserved_mb": None}, "provision.redis.memoryReservedMB"),
        # A request for one setting may take away those of persistence, whose connection string cannot be read back.
        (
            {"memoryReservedMB": 200},
            {"memory_reserved_mb": 300, "persistence": PersistenceFacts(rdb=True)},
            "provision.redis.memoryReservedMB",
        ),
        (
            {"evictionPolicy": "NoEviction"},
            {"persistence": PersistenceFacts(rdb=True)},
            "provision.redis.evictionPolicy",
        ),
    ],
)
def test_a_setting_that_can_lose_data_is_corrected_only_on_request(
    setting: dict[str, Any], changes: dict[str, Any], path: str
) -> None:
    drifted = cache(**{"tags": OWNER, **STANDARD, **changes})
    silent, asked = settings_story(tuned(**setting)), settings_story(tuned(**setting), ask=path)
    assert [silent.look(drifted) for _ in range(3)] == [(), (), ()]
    assert (silent.drift(path)["effect"], silent.drift(path)["reason"]) == ("LosesData", Reason.DISRUPTION_NOT_ALLOWED)
    asked.look(drifted)
    (action,) = asked.look(drifted)
    assert isinstance(action, UpdateCache)


def test_tier_and_size_are_one_request_so_both_must_be_requested() -> None:
    declared = {"redis": {"sku": {"name": "Premium", "capacity": 1}}}
    drifted = cache(tags=OWNER, **{**STANDARD, "sku_capacity": 3})
    half, whole = (
        settings_story(declared, ask="provision.redis.sku.name"),
        settings_story(declared, ask="provision.redis.sku.name,provision.redis.sku.capacity"),
    )
    assert [half.look(drifted) for _ in range(3)] == [(), (), ()]
    whole.look(drifted)
    (action,) = whole.look(drifted)
    assert isinstance(action, UpdateCache)
    assert action.body == {"properties": {"sku": {"name": "Premium", "family": "P", "capacity": 1}}}


def test_an_ignored_size_stays_as_it_is() -> None:
    story = settings_story({"redis": {"sku": {"name": "Premium", "capacity": 1}}}, ask="provision.redis.sku.name")
    story.spec["drift"] = {**ALL, "ignore": ["provision.redis.sku.capacity"]}
    drifted = cache(tags=OWNER, **{**STANDARD, "sku_capacity": 3})
    story.look(drifted)
    (action,) = story.look(drifted)
    assert isinstance(action, UpdateCache)
    assert action.body == {"properties": {"sku": {"name": "Premium", "family": "P", "capacity": 3}}}


def test_scaling_needs_a_grant_that_covers_the_size() -> None:
    powers = frozenset({Power.CORRECT})
    limited = Grant(("*",), powers, caches=(CACHE_ID,), locations=("westeurope",))
    declared = {"redis": {"sku": {"name": "Premium", "capacity": 2}}}
    drifted = cache(tags=OWNER, sku_name="Premium", sku_family="P", sku_capacity=1)
    cases = ((SkuLimit("Standard", 6), True), (SkuLimit("Premium", 1), True), (SkuLimit("Premium", 2), False))
    for largest, refused in cases:
        story = settings_story(declared, ask="provision.redis.sku.capacity")
        policy = GrantPolicy(caps=(replace(limited, largest_sku=largest),))
        story.settings = replace(SETTINGS, policy=policy)
        story.look(drifted)
        actions = story.look(drifted)
        assert (actions == ()) is refused, largest
        assert (story.says() == Reason.NOT_GRANTED) is refused
