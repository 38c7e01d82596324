"""The actions that each world causes, and those that it does not."""

from dataclasses import replace
from typing import Any

import pytest

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.grants import Grant, GrantPolicy, Power, SkuLimit
from secure_redis.domain.observe.cache import CacheAbsent, OperationFacts
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.governance import PatchWindow
from secure_redis.domain.observe.identity import OperatorIdentity
from secure_redis.domain.observe.keys import VaultSecretAbsent
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from secure_redis.domain.plan.actions import (
    AddFinalizer,
    AdoptCache,
    ApplySecret,
    AzureAction,
    CreateCache,
    CreateSecret,
    DeleteCache,
    DeleteFirewallRule,
    DeleteSecret,
    PutFirewallRule,
    PutPatchSchedule,
    ReleaseSecret,
    RemoveFinalizer,
    StoreKey,
    UpdateCache,
)
from secure_redis.domain.plan.types import CREATE, DELETE, Settings
from tests.builders.passes import OWNER, PROVISION, cache, observation, planned, published, resource, tampered, vault
from tests.builders.world import AUTHENTICATION, CACHE_ID, CLUSTER, SECONDARY

SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000001"
VALIDATE = {"authentication": AUTHENTICATION}
PROVISIONED = {"mode": "Provision", "provision": PROVISION}
DOWN = Unknown(Reason.AZURE_UNREACHABLE, "no answer")
INTENT = {"pending": {"action": CREATE, "recordedAt": "2026-11-24T12:00:00Z"}}
ABSENT = CacheAbsent(confirmed=True, message="no such cache")
DRIFT = [
    {"path": path, "declared": "x", "observed": "y", "class": "Security", "since": "2026-11-24T11:00:00Z"}
    for path in ("transport.nonTLSPort", "transport.minimumTLSVersion", "network.publicAccess")
]
SEEN_BEFORE = {"cache": {"provisioningState": "Succeeded", "hostName": "orders.redis.cache.windows.net"}}


def kinds(res: Any, obs: Any, settings: Settings | None = None) -> list[type]:
    plan = planned(res, obs) if settings is None else planned(res, obs, settings)
    return [type(action) for action in plan.actions]


def reasons(res: Any, obs: Any, settings: Settings | None = None) -> list[Reason]:
    plan = planned(res, obs) if settings is None else planned(res, obs, settings)
    return [refusal.reason for refusal in plan.blocked]


# --- validate -------------------------------------------------------------------------------------------------------


def test_first_pass_creates_the_secret_and_sets_no_finalizer_under_retain() -> None:
    assert kinds(resource(VALIDATE), observation()) == [CreateSecret]


def test_first_pass_sets_the_finalizer_before_anything_that_a_deletion_removes() -> None:
    spec = {**VALIDATE, "connection": {"deletionPolicy": "Delete"}}
    assert kinds(resource(spec, finalizer=False), observation()) == [AddFinalizer, CreateSecret]


WHEN_COMPLIANT = {**VALIDATE, "connection": {"publish": "WhenCompliant"}}


@pytest.mark.parametrize(
    ("changes", "open_rule"),
    [({"plaintext_open": True}, "T1 (Critical, Fail)"), ({"plaintext_open": None}, "T1 (Critical, Unknown)")],
)
def test_a_new_secret_is_withheld_while_a_finding_of_weight_is_open(changes: dict[str, Any], open_rule: str) -> None:
    unsafe = observation(cache=cache(**changes))
    plan = planned(resource(WHEN_COMPLIANT), unsafe)
    assert CreateSecret not in [type(action) for action in plan.actions]
    (blocked,) = [one for one in plan.blocked if one.reason is Reason.NOT_COMPLIANT]
    assert open_rule in blocked.message
    assert kinds(resource(VALIDATE), unsafe) == [CreateSecret]
    there = published(resource(WHEN_COMPLIANT), unsafe)
    assert kinds(resource(WHEN_COMPLIANT), observation(cache=cache(**changes), secret=tampered(there))) == [ApplySecret]


def test_unchanged_world_plans_nothing() -> None:
    res = resource(VALIDATE)
    obs = observation(secret=published(res, observation()))
    plan = planned(res, obs)
    assert plan.actions == ()
    assert plan.blocked == ()
    assert plan.waiting is None


def test_tampered_secret_is_applied_on_exactly_that_object() -> None:
    res = resource(VALIDATE)
    (action,) = planned(res, observation(secret=tampered(published(res, observation())))).actions
    assert isinstance(action, ApplySecret)
    assert action.uid == "secret-uid"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"owner_uid": None, "owner_kind": None, "owner_name": None, "annotations": {}}, Reason.SECRET_FOREIGN),
        ({"owner_uid": "other", "owner_kind": "ExternalSecret"}, Reason.SECRET_FOREIGN),
        ({"owner_uid": "other", "owner_name": "sessions"}, Reason.SECRET_FOREIGN),
    ],
)
def test_foreign_secret_is_left_alone(changes: dict[str, Any], reason: Reason) -> None:
    res = resource(VALIDATE)
    obs = observation(secret=published(res, observation(), **changes))
    assert kinds(res, obs) == []
    assert reasons(res, obs) == [reason]


@pytest.mark.parametrize(
    "changes", [{"owner_uid": "dead-uid"}, {"owner_uid": None, "owner_kind": None, "owner_name": None}]
)
def test_secret_kept_by_a_dead_resource_of_this_name_is_adopted(changes: dict[str, Any]) -> None:
    res = resource(VALIDATE)
    (action,) = planned(res, observation(secret=published(res, observation(), **changes))).actions
    assert isinstance(action, ApplySecret)
    assert action.annotations[names.SECRET_UID] == res.uid


def test_an_immutable_secret_that_differs_is_reported() -> None:
    res = resource(VALIDATE)
    obs = observation(secret=replace(tampered(published(res, observation())), immutable=True))
    assert kinds(res, obs) == []
    assert reasons(res, obs) == [Reason.SECRET_IMMUTABLE]


def test_immutable_secret_that_is_right_is_fine() -> None:
    res = resource(VALIDATE)
    assert reasons(res, observation(secret=published(res, observation(), immutable=True))) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"vault": Unknown(Reason.VAULT_FORBIDDEN, "403")},
        {"vault": vault("not-a-key-of-this-cache")},
        {"vault": vault(enabled=False)},
        {"vault": VaultSecretAbsent("none")},
        {"cache": DOWN, "vault": vault()},
        {"identity": Unknown(Reason.CONSENT_MISSING, "no consent")},
        {"cache": cache(access_keys_enabled=False)},
        {"cache": cache(authentication_disabled=True)},
    ],
)
def test_whatever_fails_a_good_secret_stays(changes: dict[str, Any]) -> None:
    res = resource(VALIDATE)
    assert kinds(res, observation(secret=published(res, observation()), **changes)) == []


def test_validate_never_writes_azure() -> None:
    unsafe = cache(plaintext_open=True, minimum_tls_version="1.0", public_network_access="Enabled")
    res = resource(VALIDATE, status={"drift": DRIFT})
    assert not [a for a in planned(res, observation(cache=unsafe)).actions if isinstance(a, AzureAction)]


def test_paused_writes_nothing() -> None:
    res = resource(VALIDATE, annotations={names.PAUSED: "true"}, finalizer=False)
    plan = planned(res, observation())
    assert plan.actions == ()
    assert plan.waiting is not None
    assert plan.waiting.reason is Reason.PAUSED


def test_changed_secret_name_publishes_the_new_then_parts_with_the_old() -> None:
    before = resource(VALIDATE)
    old = published(before, observation())
    named = {**VALIDATE, "connection": {"secretName": "other"}}
    assert kinds(resource(named), observation(former_secrets=(old,))) == [CreateSecret, ReleaseSecret]
    deleting = {**VALIDATE, "connection": {"secretName": "other", "deletionPolicy": "Delete"}}
    assert kinds(resource(deleting), observation(former_secrets=(old,), secret_users=())) == [
        CreateSecret,
        DeleteSecret,
    ]


def test_a_missing_cache_in_validate_is_reported_at_once_and_confirmed_late() -> None:
    unconfirmed = CacheAbsent(confirmed=False, message="no such cache")
    assert reasons(resource(VALIDATE), observation(cache=unconfirmed)) == [Reason.CACHE_NOT_FOUND]
    plan = planned(resource(VALIDATE, status=SEEN_BEFORE), observation(cache=unconfirmed))
    assert plan.waiting is not None
    assert plan.waiting.reason is Reason.CONFIRMING_ABSENCE


# --- create ---------------------------------------------------------------------------------------------------------


def test_creation_is_recorded_before_it_is_done() -> None:
    plan = planned(resource(PROVISIONED), observation(cache=ABSENT))
    assert plan.actions == ()
    assert plan.pending is not None
    assert plan.pending.action == CREATE


def test_creation_waits_for_the_second_404() -> None:
    plan = planned(resource(PROVISIONED, status=INTENT), observation(cache=CacheAbsent(False, "no such cache")))
    assert plan.actions == ()
    assert plan.pending is not None


def test_recorded_and_confirmed_creates_with_every_security_setting_explicit() -> None:
    (action,) = planned(resource(PROVISIONED, status=INTENT), observation(cache=ABSENT, name_available=True)).actions
    assert isinstance(action, CreateCache)
    assert action.body["properties"]["enableNonSslPort"] is False
    assert action.body["properties"]["minimumTlsVersion"] == "1.2"
    assert action.body["properties"]["publicNetworkAccess"] == "Disabled"
    assert action.body["tags"] == OWNER


def test_an_observed_cache_is_never_created_again() -> None:
    res = resource(PROVISIONED, status={**SEEN_BEFORE, **INTENT})
    assert kinds(res, observation(cache=ABSENT, name_available=True)) == []
    assert reasons(res, observation(cache=ABSENT, name_available=True)) == [Reason.CACHE_GONE]


WINDOWS = [{"day": "Sunday", "startHourUTC": 2, "durationHours": 6}]
TUNED = {
    "sku": {"name": "Standard", "capacity": 1},
    "evictionPolicy": "VolatileTTL",
    "memoryReservedMB": 200,
    "updateChannel": "Stable",
    "maintenanceWindows": WINDOWS,
}


def test_a_creation_sends_its_settings_and_then_brings_the_maintenance_windows() -> None:
    spec = {**PROVISIONED, "provision": {"location": "westeurope", "redis": TUNED}}
    (create,) = planned(resource(spec, status=INTENT), observation(cache=ABSENT, name_available=True)).actions
    assert isinstance(create, CreateCache)
    settings = {"maxmemory-policy": "volatile-ttl", "maxmemory-reserved": "200"}
    assert (create.body["properties"]["redisConfiguration"], create.body["properties"]["updateChannel"]) == (
        settings,
        "Stable",
    )
    tags = create.body["tags"]
    assert tags == {**OWNER, names.CREATION_TAG: names.CREATION_PERSISTENCE}
    new = cache(tags=tags, eviction_policy="volatile-ttl", memory_reserved_mb=200)
    bring = planned(resource(spec), observation(cache=new, cache_fresh=True, patch_schedule=()))
    assert bring.actions == (PutPatchSchedule((PatchWindow("Sunday", 2, 360),)),)
    for unread in (NOT_READ, Unknown(Reason.AZURE_DENIED, "no right to read them")):
        waits = planned(resource(spec), observation(cache=new, cache_fresh=True, patch_schedule=unread))
        assert (waits.actions, waits.pending is not None) == ((), True)
        assert [why.message for why in waits.blocked] == (
            ["the cache's maintenance windows: no right to read them"] if isinstance(unread, Unknown) else []
        )
    there = observation(cache=new, cache_fresh=True, patch_schedule=(PatchWindow("Sunday", 2, 360),))
    assert planned(resource(spec), there).actions == (UpdateCache({"tags": OWNER}, ("tags",)),)


def test_drifted_maintenance_windows_are_set_as_a_whole() -> None:
    spec = {**CORRECTING, "provision": {"location": "westeurope", "redis": TUNED}}
    settings = {"eviction_policy": "volatile-ttl", "memory_reserved_mb": 200, "tags": OWNER}
    other = observation(cache=cache(**settings), patch_schedule=(PatchWindow("Everyday", 2, 360),))
    reported = [{"path": "provision.redis.maintenanceWindows", "declared": "", "observed": "", "class": "Availability"}]
    assert planned(resource(spec), other).actions == (), "the first pass reports"
    plan = planned(resource(spec, status={"drift": reported}), other)
    assert plan.actions == (PutPatchSchedule((PatchWindow("Sunday", 2, 360),)),)
    assert plan.correcting == ("provision.redis.maintenanceWindows",)


def test_name_taken_is_not_tried() -> None:
    res = resource(PROVISIONED, status=INTENT)
    assert kinds(res, observation(cache=ABSENT, name_available=False)) == []
    assert reasons(res, observation(cache=ABSENT, name_available=False)) == [Reason.NAME_TAKEN]


def test_without_the_right_to_check_the_name_the_creation_reports_it() -> None:
    denied = Unknown(Reason.AZURE_DENIED, "no right at the subscription")
    assert kinds(resource(PROVISIONED, status=INTENT), observation(cache=ABSENT, name_available=denied)) == [
        CreateCache
    ]
    assert kinds(resource(PROVISIONED, status=INTENT), observation(cache=ABSENT, name_available=DOWN)) == []


def test_missing_group_is_not_created_into() -> None:
    absent = CacheAbsent(confirmed=True, message="no group", group_missing=True)
    assert reasons(resource(PROVISIONED), observation(cache=absent)) == [Reason.CACHE_NOT_FOUND]


@pytest.mark.parametrize(
    ("grant", "allowed"),
    [
        (
            Grant(("shop",), frozenset({Power.PROVISION}), (SUBSCRIPTION,)),
            False,
        ),
        (
            Grant(
                ("shop",),
                frozenset({Power.PROVISION}),
                (SUBSCRIPTION,),
                locations=("West Europe",),
                largest_sku=SkuLimit("Premium", 1),
            ),
            True,
        ),
        (
            Grant(
                ("shop",),
                frozenset({Power.PROVISION}),
                (SUBSCRIPTION,),
                locations=("westeurope",),
                largest_sku=SkuLimit("Standard", 6),
            ),
            False,
        ),
    ],
)
def test_creation_needs_a_grant_that_covers_place_and_size(grant: Grant, allowed: bool) -> None:
    settings = Settings(CLUSTER, GrantPolicy(grants=(grant,), operator_identity=True))
    res = resource(PROVISIONED, status=INTENT)
    obs = observation(identity=OperatorIdentity(), cache=ABSENT, name_available=True)
    assert kinds(res, obs, settings) == ([CreateCache] if allowed else [])
    assert reasons(res, obs, settings) == ([] if allowed else [Reason.NOT_GRANTED])


# --- what is there --------------------------------------------------------------------------------------------------

CORRECTING = {**PROVISIONED, "drift": {"correct": ["Security", "Availability"]}}


def test_an_existing_cache_is_adopted_only_on_request() -> None:
    assert reasons(resource(CORRECTING), observation(cache=cache(tags={"team": "a"}))) == [Reason.ADOPTION_REQUIRED]
    asked = resource(CORRECTING, annotations={names.ADOPT: "orders"})
    (action,) = planned(asked, observation(cache=cache(tags={"team": "a"}))).actions
    assert isinstance(action, AdoptCache)
    assert action.tags == {"team": "a", **OWNER}


def test_cache_of_another_resource_is_not_touched() -> None:
    other = cache(tags={names.OWNER_TAG: f"{CLUSTER}.someone-else"}, plaintext_open=True)
    asked = resource(CORRECTING, annotations={names.ADOPT: "orders"}, status={"drift": DRIFT})
    assert kinds(asked, observation(cache=other)) == []
    assert reasons(asked, observation(cache=other)) == [Reason.OWNED_BY_ANOTHER]


def test_the_first_pass_reports_and_the_second_corrects() -> None:
    drifted = cache(tags=OWNER, plaintext_open=True)
    assert kinds(resource(CORRECTING), observation(cache=drifted)) == []
    (action,) = planned(resource(CORRECTING, status={"drift": DRIFT}), observation(cache=drifted)).actions
    assert action == UpdateCache({"properties": {"enableNonSslPort": False}}, ("enableNonSslPort",))


def test_nothing_is_corrected_unless_its_class_is_named() -> None:
    drifted = cache(tags=OWNER, plaintext_open=True, minimum_tls_version="1.0")
    assert kinds(resource(PROVISIONED, status={"drift": DRIFT}), observation(cache=drifted)) == []
    cosmetic = {**PROVISIONED, "drift": {"correct": ["Cosmetic"]}}
    assert kinds(resource(cosmetic, status={"drift": DRIFT}), observation(cache=drifted)) == []


def test_one_update_at_a_time() -> None:
    drifted = cache(tags=OWNER, plaintext_open=True, minimum_tls_version="1.0")
    plan = planned(resource(CORRECTING, status={"drift": DRIFT}), observation(cache=drifted))
    assert len(plan.actions) == 1


@pytest.mark.parametrize("state", ["Updating", "Scaling", "Creating", "Linking", "SomethingNew"])
def test_busy_cache_is_not_written(state: str) -> None:
    drifted = cache(tags=OWNER, plaintext_open=True, provisioning_state=state)
    assert kinds(resource(CORRECTING, status={"drift": DRIFT}), observation(cache=drifted)) == []


def test_running_operation_is_not_written_over() -> None:
    drifted = cache(tags=OWNER, plaintext_open=True)
    obs = observation(cache=drifted, operation=OperationFacts("InProgress"))
    assert kinds(resource(CORRECTING, status={"drift": DRIFT}), obs) == []


def test_public_access_is_not_closed_without_another_way_in() -> None:
    open_cache = cache(tags=OWNER, public_network_access="Enabled", private_endpoints=())
    res = resource(CORRECTING, status={"drift": DRIFT})
    assert kinds(res, observation(cache=open_cache)) == []
    assert reasons(res, observation(cache=open_cache)) == [Reason.WOULD_DISCONNECT]
    with_endpoint = cache(tags=OWNER, public_network_access="Enabled")
    (action,) = planned(res, observation(cache=with_endpoint)).actions
    assert action == UpdateCache({"properties": {"publicNetworkAccess": "Disabled"}}, ("publicNetworkAccess",))


RULES = {
    **CORRECTING,
    "network": {
        "publicAccess": "Enabled",
        "firewallRules": [{"name": "office", "startIP": "10.0.0.1", "endIP": "10.0.0.9"}],
    },
}
RULE_DRIFT = {
    "drift": [
        {"path": f"network.firewallRules[{name}]", "declared": "x", "observed": "y", "class": "Security"}
        for name in ("office", "old")
    ]
}
OFFICE = FirewallRuleFacts("office", "10.0.0.1", "10.0.0.9")
OLD = FirewallRuleFacts("old", "1.0.0.0", "255.255.255.255")


def test_missing_rules_are_added_before_undeclared_ones_are_removed() -> None:
    public = cache(tags=OWNER, public_network_access="Enabled")
    res = resource(RULES, status=RULE_DRIFT)
    assert planned(res, observation(cache=public, firewall_rules=(OLD,))).actions == (PutFirewallRule(OFFICE),)
    assert planned(res, observation(cache=public, firewall_rules=(OFFICE, OLD))).actions == (DeleteFirewallRule("old"),)


@pytest.mark.parametrize("network", [{}, {"firewallRules": []}])
@pytest.mark.parametrize("rules", [(OLD,), (OFFICE, OLD)])
def test_no_rule_is_removed_where_none_is_declared(network: dict[str, Any], rules: Any) -> None:
    """No rule at all means open to everyone."""
    public = cache(tags=OWNER, public_network_access="Enabled")
    res = resource({**RULES, "network": {"publicAccess": "Enabled", **network}}, status=RULE_DRIFT)
    assert kinds(res, observation(cache=public, firewall_rules=rules)) == []
    assert reasons(res, observation(cache=public, firewall_rules=rules)) == []


@pytest.mark.parametrize(
    ("correct", "rules"), [(["Security"], (OLD,)), (["Availability"], (OFFICE, OLD))], ids=["missing", "surplus"]
)
def test_rules_are_only_changed_where_their_class_may_be(correct: list[str], rules: Any) -> None:
    public = cache(tags=OWNER, public_network_access="Enabled")
    res = resource({**RULES, "drift": {"correct": correct}}, status=RULE_DRIFT)
    assert kinds(res, observation(cache=public, firewall_rules=rules)) == []


def test_surplus_rule_stays_while_a_declared_one_is_missing() -> None:
    public = cache(tags=OWNER, public_network_access="Enabled")
    res = resource({**RULES, "drift": {"correct": ["Security"]}}, status=RULE_DRIFT)
    assert reasons(res, observation(cache=public, firewall_rules=(OLD,))) == [Reason.WOULD_DISCONNECT]


def test_no_azure_write_follows_from_an_old_observation() -> None:
    drifted = cache(tags=OWNER, plaintext_open=True)
    plan = planned(resource(CORRECTING, status={"drift": DRIFT}), observation(cache=drifted, cache_fresh=False))
    assert plan.actions == ()
    assert plan.needs_fresh_read
    assert plan.next_pass_in == 0


def test_a_created_cache_is_opened_last_without_correction_being_configured() -> None:
    spec = {**PROVISIONED, "network": RULES["network"]}
    absent = observation(cache=ABSENT, name_available=True)
    (create,) = planned(resource(spec, status=INTENT), absent).actions
    assert isinstance(create, CreateCache)
    assert create.body["properties"]["publicNetworkAccess"] == "Disabled"
    tags = create.body["tags"]
    assert tags == {**OWNER, "secureredis-creation": "incomplete"}
    new = cache(tags=tags, private_endpoints=())
    forged = planned(resource(spec, status=INTENT), observation(cache=cache(tags=OWNER), firewall_rules=()))
    assert forged.actions == (), "that a status claims an incomplete creation allows no write"
    plan = planned(resource(spec, status=INTENT), observation(cache=new, firewall_rules=()))
    assert plan.actions == (PutFirewallRule(OFFICE),)
    assert plan.pending is not None
    completing = {"pending": {"action": plan.pending.action, "recordedAt": plan.pending.recorded_at}}
    plan = planned(resource(spec, status=completing), observation(cache=new, firewall_rules=(OFFICE,)))
    assert plan.actions == (UpdateCache({"properties": {"publicNetworkAccess": "Enabled"}}, ("publicNetworkAccess",)),)
    lost = planned(resource(spec), observation(cache=new, firewall_rules=(OFFICE,)))
    assert lost.actions == plan.actions, "the status is not needed to go on"
    opened = cache(tags=tags, public_network_access="Enabled", private_endpoints=())
    ended = (UpdateCache({"tags": OWNER}, ("tags",)),)
    meddled = planned(resource(spec, status=completing), observation(cache=opened, firewall_rules=(OFFICE, OLD)))
    assert meddled.actions == ended, "what another party added meanwhile is not the creation's to remove"
    wider = FirewallRuleFacts("office", "10.0.0.0", "10.0.0.255")
    widened = planned(resource(spec, status=completing), observation(cache=opened, firewall_rules=(wider,)))
    assert widened.actions == ended, "nor to change"
    unread = planned(resource(spec, status=completing), observation(cache=opened, firewall_rules=NOT_READ))
    assert unread.actions == ()
    plan = planned(resource(spec, status=completing), observation(cache=opened, firewall_rules=(OFFICE,)))
    assert plan.actions == ended
    done = replace(opened, tags=OWNER)
    plan = planned(resource(spec, status=completing), observation(cache=done, firewall_rules=(OFFICE,)))
    assert plan.actions == ()
    assert plan.pending is None


def test_unread_rules_cause_no_write() -> None:
    public = cache(tags=OWNER, public_network_access="Enabled")
    assert kinds(resource(RULES, status=RULE_DRIFT), observation(cache=public, firewall_rules=DOWN)) == []


# --- the key in Key Vault -------------------------------------------------------------------------------------------

STORING = {
    **PROVISIONED,
    "authentication": {"keyVault": {**AUTHENTICATION["keyVault"], "access": "ReadWrite"}},
}


def test_key_is_stored_in_an_absent_secret_with_its_tags() -> None:
    obs = observation(cache=cache(tags=OWNER), vault=VaultSecretAbsent("none"))
    (action,) = planned(resource(STORING), obs).actions
    assert isinstance(action, StoreKey)
    assert action.tags == {"CredentialId": "Primary", "ProviderAddress": CACHE_ID}


def test_foreign_vault_secret_is_not_overwritten() -> None:
    obs = observation(cache=cache(tags=OWNER), vault=vault("something-else"))
    assert kinds(resource(STORING), obs) == []


def test_soft_deleted_name_is_neither_recovered_nor_reused() -> None:
    obs = observation(cache=cache(tags=OWNER), vault=VaultSecretAbsent("deleted", deleted=True))
    assert kinds(resource(STORING), obs) == []


def test_a_regenerated_key_is_stored_again_in_its_slot() -> None:
    stale = vault("dead-key", tags={"ProviderAddress": CACHE_ID.upper(), "CredentialId": "Secondary"})
    (action,) = planned(resource(STORING), observation(cache=cache(tags=OWNER), vault=stale)).actions
    assert isinstance(action, StoreKey)
    assert action.value.get_secret_value() == SECONDARY


def test_the_key_of_a_cache_of_another_owner_is_not_stored() -> None:
    assert kinds(resource(STORING), observation(vault=VaultSecretAbsent("none"))) == []


# --- leaving --------------------------------------------------------------------------------------------------------

GOING = {**PROVISIONED, "deletionPolicy": "Delete"}
CONFIRMED = {names.CONFIRM_DELETE: "orders"}
DELETING = {"pending": {"action": DELETE, "recordedAt": "2026-11-24T12:00:00Z"}}


def test_retain_leaves_with_azure_unreachable_and_keeps_the_secret() -> None:
    res = resource(VALIDATE, deleting=True)
    obs = observation(cache=DOWN, vault=DOWN, secret=published(resource(VALIDATE), observation()))
    assert kinds(res, obs) == [RemoveFinalizer]


def test_connection_delete_takes_the_secret_along() -> None:
    spec = {**VALIDATE, "connection": {"deletionPolicy": "Delete"}}
    obs = observation(secret=published(resource(spec), observation()), secret_users=())
    assert kinds(resource(spec, deleting=True), obs) == [DeleteSecret, RemoveFinalizer]


def test_foreign_secret_is_not_taken_along() -> None:
    spec = {**VALIDATE, "connection": {"deletionPolicy": "Delete"}}
    obs = observation(secret=published(resource(spec), observation(), owner_uid="other"))
    assert kinds(resource(spec, deleting=True), obs) == [RemoveFinalizer]


@pytest.mark.parametrize(
    ("annotations", "tags", "facts", "reason"),
    [
        ({}, OWNER, {}, Reason.CONFIRMATION_REQUIRED),
        ({names.CONFIRM_DELETE: "order"}, OWNER, {}, Reason.CONFIRMATION_REQUIRED),
        (CONFIRMED, {}, {}, Reason.NOT_OWNED),
        (CONFIRMED, {names.OWNER_TAG: "x.y"}, {}, Reason.NOT_OWNED),
        (CONFIRMED, OWNER, {"cache": DOWN}, Reason.DELETION_UNKNOWN),
    ],
)
def test_delete_is_refused_with_a_reason(
    annotations: dict[str, str], tags: dict[str, str], facts: dict[str, Any], reason: Reason
) -> None:
    res = resource(GOING, annotations=annotations, deleting=True, status=DELETING)
    obs = observation(**{"cache": cache(tags=tags), **facts})
    assert kinds(res, obs) == []
    assert reasons(res, obs) == [reason]


def test_delete_takes_two_passes_and_follows_to_the_end() -> None:
    owned = cache(tags=OWNER)
    first = planned(resource(GOING, annotations=CONFIRMED, deleting=True), observation(cache=owned))
    assert first.actions == ()
    assert first.pending is not None
    again = resource(GOING, annotations=CONFIRMED, deleting=True, status=DELETING)
    assert kinds(again, observation(cache=owned)) == [DeleteCache]
    assert kinds(again, observation(cache=cache(tags=OWNER, provisioning_state="Deleting"))) == []
    assert kinds(again, observation(cache=CacheAbsent(False, "404"))) == []
    assert kinds(again, observation(cache=ABSENT)) == [RemoveFinalizer]


@pytest.mark.parametrize("way", [{"namespace_terminating": True}, {}])
def test_abandon_and_a_terminating_namespace_release_the_resource_and_keep_the_cache(way: dict[str, Any]) -> None:
    annotations = {} if way else {names.ABANDON: "true"}
    res = resource(GOING, annotations=annotations, deleting=True)
    plan = planned(res, observation(cache=cache(tags=OWNER), **way))
    assert [type(action) for action in plan.actions] == [RemoveFinalizer]
    assert plan.released is Reason.ABANDONED


def test_without_our_finalizer_nothing_is_done() -> None:
    assert kinds(resource(GOING, deleting=True, finalizer=False), observation()) == []
