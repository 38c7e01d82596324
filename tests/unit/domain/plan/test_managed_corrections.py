"""The corrections of a Managed Redis: which request each needs, what waits for consent, and what is never written."""

from dataclasses import replace
from typing import Any

import pytest

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess import managed_redis as paths
from secure_redis.domain.observe.governance import RoleAssignmentFacts, RolePermissions
from secure_redis.domain.observe.managed_redis import MaintenanceWindow, ManagedRedis
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.storage import EncryptionKeyFacts, KeyAbsent
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from secure_redis.domain.plan.actions import UpdateCache, UpdateDatabase
from secure_redis.domain.plan.types import Plan
from tests.builders import passes
from tests.builders.managed_redis import MANAGED_ID, database, managed
from tests.builders.passes import OWNER, judged, planned
from tests.builders.storage import key_vault, protected_key
from tests.builders.world import AUTHENTICATION, IDENTITY, NOW

IDENTITY_ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"
URL = "https://shop.vault.azure.net/keys/cmk/0123456789abcdef0123456789abcdef"
MANAGED: dict[str, Any] = {"sku": "Balanced_B5", "clusteringPolicy": "NoCluster"}
ALL = ["Security", "Availability", "Cosmetic"]


def declared(managed_redis: dict[str, Any] | None = None, **spec: Any) -> SecureRedisCache:
    provision = {"location": "westeurope", "managedRedis": {**MANAGED, **(managed_redis or {})}}
    given = {"resourceID": MANAGED_ID, "mode": "Provision", "drift": {"correct": ALL}, "provision": provision}
    return passes.resource({**given, **spec})


def cluster(**changes: Any) -> ManagedRedis:
    of = {
        "clustering_policy": "NoCluster",
        "resource_state": "Running",
        "eviction_policy": "VolatileLRU",
        "port": 10000,
    }
    known = database(**{**of, **changes.pop("database", {})})
    safe = {
        "tags": OWNER,
        "key_url": None,
        "key_identity": None,
        "high_availability": "Enabled",
        "resource_state": "Running",
        "database": known,
    }
    return managed(**{**safe, **changes})


def plan_of(resource: SecureRedisCache, found: ManagedRedis, *, allowed: str | None = None, **changes: Any) -> Plan:
    """Plan a pass over a resource whose status already reports every difference."""
    observed = replace(Observation(now=NOW, identity=IDENTITY, cache=found, cache_fresh=True), **changes)
    drift = judged(resource, observed).drift or ()
    shown = [
        {
            "path": d.path,
            "declared": d.declared,
            "observed": d.observed,
            "class": d.drift_class,
            "since": "2026-11-24T11:00:00Z",
        }
        for d in drift
    ]
    annotations = {names.ALLOW_DISRUPTION: allowed} if allowed else {}
    spec = resource.spec.model_dump(by_alias=True, mode="json", exclude_none=True)
    return planned(passes.resource(spec, status={"drift": shown}, annotations=annotations), observed)


def properties(**values: Any) -> UpdateCache:
    return UpdateCache({"properties": values}, tuple(values))


OFF = {"aofEnabled": False, "rdbEnabled": False}
RDB = {"aofEnabled": False, "rdbEnabled": True, "rdbFrequency": "6h"}
WINDOWS = {
    "maintenanceWindows": [
        {"day": "Saturday", "startHourUTC": 2, "durationHours": 9},
        {"day": "Sunday", "startHourUTC": 2, "durationHours": 9},
    ]
}
WEEKLY = [
    {"type": "Weekly", "duration": "PT9H", "startHourUtc": 2, "schedule": {"dayOfWeek": day}}
    for day in ("Saturday", "Sunday")
]
AUTHENTICATED = {"authentication": AUTHENTICATION}
# A declaration of the spec, a cluster that differs, and the one request that corrects it without consent.
FREE: list[tuple[SecureRedisCache, ManagedRedis, Any]] = [
    (declared(), cluster(minimum_tls_version=None), properties(minimumTlsVersion="1.2")),
    (declared(), cluster(public_network_access="Enabled"), properties(publicNetworkAccess="Disabled")),
    (
        declared(network={"publicAccess": "Enabled"}),
        cluster(private_endpoints=()),
        properties(publicNetworkAccess="Enabled"),
    ),
    (declared(), cluster(database={"client_protocol": "Plaintext"}), UpdateDatabase({"clientProtocol": "Encrypted"})),
    (
        declared({"evictionPolicy": "NoEviction"}),
        cluster(),
        UpdateDatabase({"evictionPolicy": "NoEviction"}),
    ),
    (
        declared(persistence={"type": "RDB", "frequencyMinutes": 360}),
        cluster(),
        UpdateDatabase({"persistence": RDB}),
    ),
    (
        declared(persistence={"type": "RDB", "frequencyMinutes": 360}),
        cluster(database={"aof_enabled": True}),
        UpdateDatabase({"persistence": RDB}),
    ),
    (
        declared(persistence={"type": "RDB", "frequencyMinutes": 360}),
        cluster(database={"rdb_enabled": True, "rdb_frequency": "1h"}),
        UpdateDatabase({"persistence": RDB}),
    ),
    (
        declared(WINDOWS),
        cluster(maintenance_windows=(MaintenanceWindow("Monday", 1, "PT18H"),)),
        properties(maintenanceConfiguration={"maintenanceWindows": WEEKLY}),
    ),
    (
        declared(provision={"location": "westeurope", "tags": {"team": "shop"}, "managedRedis": MANAGED}),
        cluster(),
        UpdateCache({"tags": {**OWNER, "team": "shop"}}, ("tags",)),
    ),
    (
        declared(
            provision={
                "location": "westeurope",
                "managedRedis": MANAGED,
                "identity": {"type": "UserAssigned", "userAssignedIDs": [IDENTITY_ID]},
            }
        ),
        cluster(identity_type="None"),
        UpdateCache({"identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY_ID: {}}}}, ("identity",)),
    ),
]


@pytest.mark.parametrize(("resource", "found", "action"), FREE)
def test_each_difference_has_its_own_request(resource: SecureRedisCache, found: ManagedRedis, action: Any) -> None:
    plan = plan_of(resource, found)
    assert (plan.actions, plan.blocked) == ((action,), ())


@pytest.mark.parametrize(("resource", "found", "action"), FREE)
def test_nothing_is_written_without_its_class_or_to_anothers_cluster(
    resource: SecureRedisCache, found: ManagedRedis, action: Any
) -> None:
    reporting = passes.resource(
        {**resource.spec.model_dump(by_alias=True, mode="json", exclude_none=True), "drift": {"correct": []}}
    )
    assert plan_of(reporting, found).actions == ()
    assert plan_of(resource, replace(found, tags={names.OWNER_TAG: "another.uid"})).actions == ()
    assert plan_of(resource, replace(found, resource_state="Updating")).actions == ()


ON = {"persistence": {"type": "None"}}
OWN_KEY = {
    "persistence": {
        "type": "RDB",
        "frequencyMinutes": 360,
        "encryption": {"keySource": "CustomerManaged", "keyURL": URL, "identityID": IDENTITY_ID},
    }
}
PERSISTING = {"rdb_enabled": True, "rdb_frequency": "6h"}
PRINCIPAL = "00000000-0000-0000-0000-0000000000AA"
KEYS = "Microsoft.KeyVault/vaults/keys"
USABLE = replace(protected_key(enabled=True), vault=key_vault(by_roles=True))


def role(*data_actions: str, **changes: Any) -> RoleAssignmentFacts:
    made = RoleAssignmentFacts("/vault", "r", PRINCIPAL, permissions=(RolePermissions((), data_actions=data_actions),))
    return replace(made, **changes)


ENCRYPTS = (role(f"{KEYS}/read", f"{KEYS}/wrap/action", f"{KEYS}/unwrap/action"),)
ENCRYPTED = {
    "customerManagedKeyEncryption": {
        "keyEncryptionKeyIdentity": {
            "identityType": "userAssignedIdentity",
            "userAssignedIdentityResourceId": IDENTITY_ID,
        },
        "keyEncryptionKeyUrl": URL,
    }
}
WITH_IDENTITY: dict[str, Any] = {
    "identity_type": "UserAssigned",
    "user_assigned_ids": (IDENTITY_ID,),
    "user_assigned_principals": {IDENTITY_ID.upper(): PRINCIPAL},
    "database": PERSISTING,
}
# A correction that needs consent by name: the path, and the request that follows.
GRAVE: list[tuple[SecureRedisCache, ManagedRedis, dict[str, Any], str, Any]] = [
    (
        declared(**AUTHENTICATED),
        cluster(),
        {},
        paths.ACCESS_KEYS,
        UpdateDatabase({"accessKeysAuthentication": "Enabled"}),
    ),
    (declared(**ON), cluster(database=PERSISTING), {}, paths.PERSISTENCE_TYPE, UpdateDatabase({"persistence": OFF})),
    (
        declared(),
        cluster(high_availability="Disabled"),
        {},
        paths.HIGH_AVAILABILITY,
        properties(highAvailability="Enabled"),
    ),
    (
        declared({"sku": "Balanced_B10"}),
        cluster(),
        {"scaling_options": ("Balanced_B10", "Balanced_B20")},
        paths.SKU,
        UpdateCache({"sku": {"name": "Balanced_B10"}}, ("sku",)),
    ),
    (
        declared({"clusteringPolicy": "EnterpriseCluster"}),
        cluster(),
        {},
        paths.CLUSTERING,
        UpdateDatabase({"clusteringPolicy": "EnterpriseCluster"}),
    ),
    (
        declared(**OWN_KEY),
        cluster(**WITH_IDENTITY),
        {"declared_key": USABLE, "key_roles": ENCRYPTS},
        paths.KEY_SOURCE,
        properties(encryption=ENCRYPTED),
    ),
    (
        declared(persistence={"type": "RDB", "frequencyMinutes": 360, "encryption": {"keySource": "MicrosoftManaged"}}),
        cluster(key_url=URL, key_identity=IDENTITY_ID, **WITH_IDENTITY),
        {},
        paths.KEY_SOURCE,
        properties(encryption={"customerManagedKeyEncryption": {}}),
    ),
    (
        declared(),
        cluster(public_network_access="Enabled", private_endpoints=()),
        {},
        paths.PUBLIC_ACCESS,
        properties(publicNetworkAccess="Disabled"),
    ),
]


@pytest.mark.parametrize(("resource", "found", "more", "path", "action"), GRAVE)
def test_a_grave_correction_waits_for_consent_by_name(
    resource: SecureRedisCache, found: ManagedRedis, more: dict[str, Any], path: str, action: Any
) -> None:
    waiting = plan_of(resource, found, **more)
    assert waiting.actions == ()
    assert waiting.not_corrected[path].reason in {Reason.DISRUPTION_NOT_ALLOWED, Reason.WOULD_DISCONNECT}
    assert f"{names.ALLOW_DISRUPTION}: {path}" in waiting.not_corrected[path].message
    assert plan_of(resource, found, allowed="provision.location", **more).actions == ()
    assert plan_of(resource, found, allowed=path, **more).actions == (action,)


REFUSED: list[tuple[SecureRedisCache, ManagedRedis, str, str]] = [
    (
        declared({"clusteringPolicy": "NoCluster"}),
        cluster(database={"clustering_policy": "OSSCluster"}),
        paths.CLUSTERING,
        "the data and both keys are lost",
    ),
    (declared({"modules": ["RedisJSON"]}), cluster(), paths.MODULES, "the data and both keys are lost"),
    (declared({"highAvailability": "Disabled"}), cluster(), paths.HIGH_AVAILABILITY, "Azure does not switch it off"),
    (declared(WINDOWS), cluster(), paths.WINDOWS, "interface version"),
    (declared(), cluster(location="northeurope"), "provision.location", "cannot be moved"),
    (
        declared({"evictionPolicy": "NoEviction"}),
        cluster(database={"geo_linked": ("/other",)}),
        paths.EVICTION,
        "geo-replicated",
    ),
    (
        declared(persistence={"type": "AOF"}),
        cluster(database={"geo_linked": ("/other",)}),
        paths.PERSISTENCE_TYPE,
        "geo-replicated",
    ),
    (declared({"sku": "Balanced_B10"}), cluster(database={"geo_linked": ("/other",)}), paths.SKU, "unlink it first"),
    (
        declared(provision={"location": "westeurope", "managedRedis": MANAGED, "identity": {"type": "None"}}),
        cluster(key_url=URL, key_identity=IDENTITY_ID, **{**WITH_IDENTITY, "database": {}}),
        paths.IDENTITY_TYPE,
        "reads its encryption key",
    ),
]


@pytest.mark.parametrize(("resource", "found", "path", "sentence"), REFUSED)
def test_what_is_never_corrected_states_what_would_be_lost(
    resource: SecureRedisCache, found: ManagedRedis, path: str, sentence: str
) -> None:
    assert plan_of(resource, found, allowed=path, scaling_options=("Balanced_B10",)).actions == ()
    drift = judged(resource, Observation(now=NOW, identity=IDENTITY, cache=found)).drift or ()
    (entry,) = (one for one in drift if one.path == path)
    assert not entry.correctable
    assert sentence in entry.note


def test_a_size_that_azure_does_not_offer_is_refused_with_those_it_does() -> None:
    resource = declared({"sku": "Balanced_B10"})
    plan = plan_of(resource, cluster(), allowed=paths.SKU, scaling_options=("Balanced_B20",))
    assert plan.actions == ()
    assert plan.not_corrected[paths.SKU].reason is Reason.SIZE_NOT_OFFERED
    assert "it offers Balanced_B20" in plan.not_corrected[paths.SKU].message
    denied = plan_of(resource, cluster(), allowed=paths.SKU, scaling_options=Unknown(Reason.AZURE_DENIED, "no right"))
    assert (denied.actions, denied.not_corrected[paths.SKU].reason) == ((), Reason.AZURE_DENIED)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (protected_key(enabled=False), "is disabled"),
        (EncryptionKeyFacts(key_vault(), KeyAbsent("no such key")), "is not there: no such key"),
        (EncryptionKeyFacts(key_vault(), Unknown(Reason.AZURE_DENIED, "no right")), "could not be read: no right"),
        (Unknown(Reason.NOT_GRANTED, "no grant"), "could not be read: no grant"),
    ],
)
def test_a_key_that_cannot_serve_is_not_set(key: Any, words: str) -> None:
    plan = plan_of(declared(**OWN_KEY), cluster(**WITH_IDENTITY), allowed=paths.KEY_SOURCE, declared_key=key)
    assert plan.actions == ()
    assert plan.not_corrected[paths.KEY_SOURCE].reason is Reason.ENCRYPTION_KEY_UNUSABLE
    assert words in plan.not_corrected[paths.KEY_SOURCE].message


def by_policies(*permissions: str) -> Any:
    policies = {PRINCIPAL.lower(): frozenset(permissions)} if permissions else {}
    return replace(USABLE, vault=key_vault(by_roles=False, key_policies=policies))


@pytest.mark.parametrize(
    ("key", "roles", "words"),
    [
        (USABLE, ENCRYPTS, None),
        (USABLE, (role(f"{KEYS}/*"),), None),
        (USABLE, (role(f"{KEYS}/read"), role(f"{KEYS}/wrap/action"), role(f"{KEYS}/unwrap/action")), None),
        (USABLE, (), "assign it the role Key Vault Crypto Service Encryption User"),
        (USABLE, (role(f"{KEYS}/read", f"{KEYS}/wrap/action"),), "assign it the role"),
        (USABLE, (role(f"{KEYS}/*", permissions=None),), "assign it the role"),
        (USABLE, (role(f"{KEYS}/*", conditional=True),), "assign it the role"),
        (USABLE, Unknown(Reason.AZURE_DENIED, "no right"), "could not be read: no right"),
        (USABLE, NOT_READ, "were not read yet"),
        (by_policies("get", "wrapkey", "unwrapkey"), NOT_READ, None),
        (by_policies("all"), NOT_READ, None),
        (by_policies("get", "wrapkey"), NOT_READ, f"give its object id {PRINCIPAL} the key permissions"),
        (by_policies(), NOT_READ, "in the access policies"),
    ],
)
def test_a_key_is_set_only_where_the_identity_may_use_it(key: Any, roles: Any, words: str | None) -> None:
    """Azure may accept the key all the same, and the cluster then loses its disks."""
    found = cluster(**WITH_IDENTITY)
    plan = plan_of(declared(**OWN_KEY), found, allowed=paths.KEY_SOURCE, declared_key=key, key_roles=roles)
    if words is None:
        assert plan.actions == (UpdateCache({"properties": {"encryption": ENCRYPTED}}, ("encryption",)),)
    else:
        assert plan.actions == ()
        assert plan.not_corrected[paths.KEY_SOURCE].reason is Reason.ENCRYPTION_KEY_UNUSABLE
        assert words in plan.not_corrected[paths.KEY_SOURCE].message


def test_an_identity_whose_object_id_is_not_reported_gets_no_key() -> None:
    found = cluster(**{**WITH_IDENTITY, "user_assigned_principals": {}})
    plan = plan_of(declared(**OWN_KEY), found, allowed=paths.KEY_SOURCE, declared_key=USABLE, key_roles=ENCRYPTS)
    assert plan.actions == ()
    assert "does not report the object id" in plan.not_corrected[paths.KEY_SOURCE].message


def test_the_identity_comes_before_the_key_and_takes_none_away() -> None:
    other = IDENTITY_ID.replace("/i", "/other")
    found = cluster(identity_type="UserAssigned", user_assigned_ids=(other,), database=PERSISTING)
    plan = plan_of(declared(**OWN_KEY), found, allowed=paths.KEY_SOURCE, declared_key=USABLE)
    ids: dict[str, Any] = {other: {}, IDENTITY_ID: {}}
    assert plan.actions == (
        UpdateCache({"identity": {"type": "UserAssigned", "userAssignedIdentities": ids}}, ("identity",)),
    )


def test_an_identity_that_the_spec_would_take_away_again_is_not_added() -> None:
    provision = {"location": "westeurope", "managedRedis": MANAGED, "identity": {"type": "None"}}
    found = cluster(identity_type="None", database=PERSISTING)
    resource = declared(**OWN_KEY, provision=provision)
    plan = plan_of(resource, found, allowed=paths.KEY_SOURCE, declared_key=USABLE)
    assert plan.actions == ()
    why = plan.not_corrected[paths.KEY_SOURCE]
    assert (why.reason, "provision.identity does not list" in why.message) == (Reason.ENCRYPTION_KEY_UNUSABLE, True)


def test_settings_of_the_database_that_are_due_together_go_into_one_request() -> None:
    resource = declared({"evictionPolicy": "NoEviction"}, persistence={"type": "AOF"})
    plan = plan_of(resource, cluster(database={"client_protocol": "Plaintext"}))
    persistence = {"aofEnabled": True, "aofFrequency": "1s", "rdbEnabled": False}
    merged = {"clientProtocol": "Encrypted", "persistence": persistence, "evictionPolicy": "NoEviction"}
    assert plan.actions == (UpdateDatabase(merged),)
    assert set(plan.correcting) == {paths.PROTOCOL, paths.PERSISTENCE_TYPE, paths.EVICTION}
