"""Rules, drift, corrections and conditions judge a field with the same knowledge, and every difference has a remedy."""

import itertools
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretBytes

from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import DriftClass
from secure_redis.domain.assess.assessment import drift_of
from secure_redis.domain.assess.disruption import Effect
from secure_redis.domain.assess.drift import Drift
from secure_redis.domain.assess.encryption_chain import follow
from secure_redis.domain.assess.redis import COMPARED, SKU_CAPACITY, SKU_NAME
from secure_redis.domain.assess.rules import RULES, evaluate
from secure_redis.domain.assess.rules.rule import Result, Verdict
from secure_redis.domain.observe.cache import PrivateEndpoint
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.redis import PersistenceFacts, Redis
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import NOT_READ
from secure_redis.domain.plan.actions import AzureAction
from secure_redis.domain.report.conditions.route import no_route
from tests.builders.complete import complete
from tests.builders.passes import OWNER, planned
from tests.builders.passes import resource as passing
from tests.builders.storage import ACCOUNT, account, encryption, protected_key, storage
from tests.builders.world import NOW, PROVISION, cache, observation, parsed

CRD = Path(__file__).parents[4] / "crds/secureredis.io_securerediscaches.yaml"
PASS, FAIL, UNKNOWN, NA = Result.PASS, Result.FAIL, Result.UNKNOWN, Result.NOT_APPLICABLE
GROUP = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/g/providers"
IDENTITY = f"{GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/orders"
SAFE = {"mode": "Provision", "provision": PROVISION, "drift": {"correct": list(DriftClass)}}


@st.composite
def worlds(draw: st.DrawFn) -> Redis:
    """Draw a cache of any settings that Azure can report for one."""
    tier = draw(st.sampled_from(("Basic", "Standard", "Premium", "premium")))
    premium = tier.lower() == "premium"
    persistence = draw(st.sampled_from(PERSISTENCE)) if premium else PersistenceFacts()
    kinds = ((), ("SystemAssigned",), ("UserAssigned",), ("SystemAssigned", "UserAssigned"))
    kind = draw(st.sampled_from(kinds if premium else kinds[:1]))
    spelling = draw(st.sampled_from((", ", ",")))
    return cache(
        sku_name=tier,
        sku_family="P" if premium else "C",
        sku_capacity=draw(st.integers(1, 5) if premium else st.integers(0, 6)),
        plaintext_open=draw(st.sampled_from((True, False, None))),
        minimum_tls_version=draw(st.sampled_from(("1.0", "1.1", "1.2", "1.3", "TLS1_2", None, "soon"))),
        public_network_access=draw(st.sampled_from(("Enabled", "Disabled", "disabled", None))),
        subnet_id=draw(st.sampled_from((None, "/subnet"))) if premium else None,
        private_endpoints=draw(st.sampled_from(((), (PrivateEndpoint("pe", "Approved"),)))),
        redis_version=draw(st.sampled_from(("6.0", "6.0.14", "4.0", None))),
        zones=draw(st.sampled_from(((), ("1",), ("3", "2")))) if premium else (),
        zonal_allocation=draw(st.sampled_from((None, "Automatic", "NoZones"))),
        instance_zones=draw(st.sampled_from(((), ("1", "2"), ("1", None)))) if premium else (),
        replicas=draw(st.sampled_from((None, 1, 2))) if premium else None,
        shards=draw(st.sampled_from((None, 0, 2, 10))) if premium else None,
        identity_type=spelling.join(kind) or draw(st.sampled_from((None, "None"))),
        user_assigned_ids=(IDENTITY,) if "UserAssigned" in kind else (),
        tags=draw(st.dictionaries(st.sampled_from(("team", "cost")), st.sampled_from(("a", "b")))) | OWNER,
        persistence=persistence,
        authentication_disabled=draw(st.sampled_from((None, True, False))),
    )


PERSISTENCE = (
    PersistenceFacts(),
    PersistenceFacts(rdb=True, rdb_frequency_minutes=60, authentication="ManagedIdentity", account="shopdata"),
    PersistenceFacts(rdb=True, rdb_frequency_minutes=15, authentication="SAS", account="shopdata"),
    PersistenceFacts(aof=True, account="elsewhere"),
)


def declaring(found: Redis, rules: tuple[FirewallRuleFacts, ...]) -> dict[str, Any]:
    """Build the spec that declares what is observed, as far as the schema has a word for it."""
    sku = {"name": found.sku_name.capitalize(), "capacity": found.sku_capacity}
    settings: dict[str, Any] = {"sku": sku}
    if found.redis_version is not None:
        settings["redisVersion"] = found.redis_version
    if found.premium:
        settings |= {"replicas": found.replicas or 1, "shards": found.shards or 0}
        settings |= {"zones": list(found.zones_used)} if found.zones_used else {}
    kinds = [kind for kind in ("SystemAssigned", "UserAssigned") if kind.lower() in found.identity_kinds]
    identity: dict[str, Any] = {"type": ", ".join(kinds) or "None"}
    if found.user_assigned_ids:
        identity["userAssignedIDs"] = list(found.user_assigned_ids)
    closed = (found.public_network_access or "").lower() == "disabled"
    ranges = [{"name": one.name, "startIP": one.start_ip, "endIP": one.end_ip} for one in rules]
    return {
        "mode": "Provision",
        "provision": {"location": "westeurope", "tags": {}, "identity": identity, "redis": settings},
        "network": {"publicAccess": "Disabled" if closed else "Enabled", "firewallRules": ranges},
        "persistence": _persistence(found.persistence),
    }


def _persistence(facts: PersistenceFacts) -> dict[str, Any]:
    if not facts.on:
        return {"type": "None"}
    by_identity = facts.by_identity
    account = f"{GROUP}/Microsoft.Storage/storageAccounts/{facts.account}"
    secret = {} if by_identity else {"connectionStringSecretRef": {"name": "storage"}}
    where = {"accountID": account, "authentication": "ManagedIdentity" if by_identity else "ConnectionString", **secret}
    frequency = {"frequencyMinutes": facts.rdb_frequency_minutes} if facts.rdb else {}
    return {"type": "RDB" if facts.rdb else "AOF", "storage": where, **frequency}


def schema() -> dict[str, Any]:
    versions = yaml.safe_load(CRD.read_text())["spec"]["versions"]
    spec: dict[str, Any] = versions[0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return spec


SCHEMA = schema()


def assert_allowed(value: Any, schema: dict[str, Any], path: str) -> None:
    """Fail if the schema has no word for the value: a field or an enumeration value that does not exist."""
    if isinstance(value, dict) and "properties" in schema:
        assert value.keys() <= schema["properties"].keys(), f"{path}: {value.keys() - schema['properties'].keys()}"
        for name, child in value.items():
            assert_allowed(child, schema["properties"][name], f"{path}.{name}")
    elif isinstance(value, list):
        assert len(value) <= schema.get("maxItems", len(value)), path
        for child in value:
            assert_allowed(child, schema["items"], f"{path}[]")
    elif not isinstance(value, dict):
        assert value in schema.get("enum", [value]), f"{path}: {value}"
        if isinstance(value, int):
            assert schema.get("minimum", value) <= value <= schema.get("maximum", value), f"{path}: {value}"


def found_in(of: SecureRedisCache, world: Redis, rules: Any = ()) -> dict[str, Drift]:
    return {
        one.path: one for one in drift_of(of, observation(cache=world, firewall_rules=rules, patch_schedule=())) or ()
    }


RANGES = (FirewallRuleFacts("office", "203.0.113.1", "203.0.113.9"),)
VNET = cache(subnet_id="/s", public_network_access=None)
BOTH = cache(identity_type="SystemAssigned, UserAssigned", user_assigned_ids=(IDENTITY,))


@given(world=worlds(), rules=st.sampled_from(((), RANGES)))
@example(world=VNET, rules=())
@example(world=BOTH, rules=())
def test_every_difference_can_be_removed(world: Redis, rules: tuple[FirewallRuleFacts, ...]) -> None:
    """By declaring what is observed. An unsafe setting, which the schema never declares, can be corrected instead."""
    spec = declaring(world, rules)
    assert_allowed(spec, SCHEMA, "spec")
    left = found_in(parsed(spec), world, rules)
    assert left.keys() <= {"transport.nonTLSPort", "transport.minimumTLSVersion"}
    assert all(one.correctable for one in left.values())


@given(world=worlds(), rules=st.sampled_from((NOT_READ, (), RANGES)))
@example(world=VNET, rules=())
def test_rules_and_drift_agree(world: Redis, rules: Any) -> None:
    of = parsed({**SAFE, "network": {"firewallRules": [{"name": "a", "startIP": "10.0.0.1", "endIP": "10.0.0.2"}]}})
    seen = observation(cache=world, firewall_rules=rules)
    verdicts, drift = evaluate(of, seen).results, found_in(of, world, rules)

    def safe(rule: str) -> bool:
        return verdicts[rule].result in {PASS, NA}

    security = {path for path, one in drift.items() if one.drift_class is DriftClass.SECURITY}
    for rule, path in (
        ("T1", "transport.nonTLSPort"),
        ("T2", "transport.minimumTLSVersion"),
        ("N1", "network.publicAccess"),
    ):
        assert safe(rule) is (path not in drift), rule
        assert safe(rule) is (path not in security), rule
    assert safe("R1") is not bool({SKU_NAME, SKU_CAPACITY} & security)
    stays = {one for one in drift.values() if one.effect is Effect.NEEDS_REPLACEMENT and "redis" in one.path}
    assert (verdicts["R6"].result is PASS) is not bool(stays)
    assert (verdicts["R6"].result is FAIL) is any(one.is_known for one in stays)
    if world.zones_used is None and world.can_span_zones:
        assert verdicts["R2"].result is UNKNOWN
    missing = drift.get("network.firewallRules[a]")
    if safe("N1") and safe("N4") and not world.in_virtual_network and missing is not None:
        assert missing.drift_class is DriftClass.AVAILABILITY, "no address can connect"
    if no_route(world) is not None:
        assert (verdicts["N1"].result, verdicts["N2"].result) == (PASS, FAIL)


@given(world=worlds(), declared=st.sampled_from(PERSISTENCE[1:]))
def test_persistence_is_judged_once(world: Redis, declared: PersistenceFacts) -> None:
    of = parsed({**SAFE, "persistence": _persistence(declared)})
    verdicts, drift = evaluate(of, observation(cache=world)).results, found_in(of, world)
    assert (verdicts["P10"].result is FAIL) is (not world.can_persist)
    differs = drift.get("persistence.type")
    if differs is not None:
        assert differs.correctable is world.can_persist
    if declared.by_identity and world.persists:
        assert (verdicts["P2"].result is FAIL) is ("persistence.storage.authentication" in drift)


@given(world=worlds())
def test_nothing_absent_passes(world: Redis) -> None:
    """A5 and N6 read values that Azure leaves out: only a reported value passes or fails them."""
    verdicts = evaluate(parsed(), observation(cache=world)).results
    a5: Verdict = verdicts["A5"]
    assert (a5.result is PASS) is (world.authentication_disabled is False)
    assert (a5.result is FAIL) is (world.authentication_disabled is True)
    assert verdicts["N6"].result is (FAIL if world.subnet_id is not None else NA)


CHAIN_RULES = tuple(rule for rule in RULES if rule.id in {"P3", "P4", "P6", "P9"})


@pytest.mark.parametrize("lowest", ["TLS1_0", "TLS1_2", None, "?"])
@pytest.mark.parametrize("transport", [True, False, None])
def test_the_chain_of_encryption_and_its_rules_agree(transport: bool | None, lowest: str | None) -> None:
    flags, dates = (True, False, None), (None, NOW - timedelta(days=1), NOW, NOW + timedelta(days=90))
    for enabled, encrypted, public in itertools.product(flags, repeat=3):
        for expires, in_use, begins in itertools.product(dates, repeat=3):
            stored = account(
                encryption=encryption(blob_encrypted=encrypted, current_key_expires=in_use),
                public_blobs_allowed=public,
                https_only=transport,
                minimum_tls_version=lowest,
            )
            key = protected_key(enabled=enabled, expires=expires, not_before=begins)
            seen = complete(storage=stored, encryption_key=key)
            assert isinstance(seen.cache, Redis)
            link = follow(parsed(), seen, seen.cache, None)
            assert link is not None
            verdicts = evaluate(parsed(), seen, CHAIN_RULES).results.values()
            results = {verdict.result for verdict in verdicts}
            # No rule passes if a part of the chain is broken or hidden.
            assert (results == {PASS}) is (link.encrypted is True), link.message
            assert (PASS if link.encrypted else FAIL if link.encrypted is False else UNKNOWN) in results, link.message


# --- each path and each class has a correction ------------------------------------------------------------------------

BASE = cache(tags={**OWNER, "team": "orders"}, sku_name="Premium")
DATA = {"type": "RDB", "storage": {"accountID": ACCOUNT, "connectionStringSecretRef": {"name": "s"}}}
DATA["storage"]["authentication"] = "ConnectionString"  # type: ignore[index]
ON: dict[str, Any] = {"rdb": True, "rdb_frequency_minutes": 60, "authentication": "SAS", "account": "shopdata"}
FIREWALL = {"publicAccess": "Disabled", "firewallRules": [{"name": "a", "startIP": "10.0.0.1", "endIP": "10.0.0.2"}]}
SUNDAY = {"day": "Sunday", "startHourUTC": 2, "durationHours": 6}


def tuned(**settings: Any) -> dict[str, Any]:
    """A spec whose only difference is one of these settings."""
    return {"provision": {**PROVISION, "redis": {**PROVISION["redis"], **settings}}}


ONE_EACH: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("transport.nonTLSPort", {}, {"plaintext_open": True}),
    ("transport.minimumTLSVersion", {}, {"minimum_tls_version": "1.0"}),
    ("network.publicAccess", {}, {"public_network_access": "Enabled"}),
    ("network.firewallRules[a]", {"network": FIREWALL}, {}),
    ("persistence.type", {"persistence": {"type": "None"}}, {"persistence": PersistenceFacts(**ON)}),
    (
        "persistence.frequencyMinutes",
        {"persistence": DATA},
        {"persistence": PersistenceFacts(**{**ON, "rdb_frequency_minutes": 15})},
    ),
    (
        "persistence.storage.accountID",
        {"persistence": DATA},
        {"persistence": PersistenceFacts(**{**ON, "account": "x"})},
    ),
    (
        "persistence.storage.authentication",
        {"persistence": DATA},
        {"persistence": PersistenceFacts(**{**ON, "authentication": "ManagedIdentity"})},
    ),
    ("provision.location", {}, {"location": "North Europe"}),
    ("provision.tags[team]", {}, {"tags": OWNER}),
    (SKU_NAME, {}, {"sku_name": "Standard", "sku_family": "C"}),
    (SKU_CAPACITY, {}, {"sku_capacity": 2}),
    ("provision.redis.redisVersion", {}, {"redis_version": "4.0"}),
    ("provision.redis.zones", {}, {"zones": ("3",)}),
    ("provision.redis.replicas", {}, {"replicas": 2}),
    (
        "provision.redis.shards",
        {"provision": {**PROVISION, "redis": {"sku": {"name": "Premium", "capacity": 1}, "shards": 2}}},
        {},
    ),
    ("provision.redis.evictionPolicy", tuned(evictionPolicy="NoEviction"), {}),
    ("provision.redis.memoryReservedMB", tuned(memoryReservedMB=700), {}),
    ("provision.redis.updateChannel", tuned(updateChannel="Stable"), {"update_channel": "Preview"}),
    ("provision.redis.maintenanceWindows", tuned(maintenanceWindows=[SUNDAY]), {}),
    ("provision.identity.type", {}, {"identity_type": "SystemAssigned"}),
    (
        "provision.identity.userAssignedIDs",
        {"provision": {**PROVISION, "identity": {"type": "UserAssigned", "userAssignedIDs": [IDENTITY]}}},
        {"identity_type": "UserAssigned", "user_assigned_ids": ("/old",)},
    ),
]
KEY = "a" * 86 + "=="  # of the form of a storage key
ONLY_A_NEW_CACHE = {"provision.location", "provision.redis.zones", "provision.redis.replicas"}


def pass_over(spec: dict[str, Any], changes: dict[str, Any]) -> tuple[dict[str, Drift], tuple[str, ...], int]:
    """Run the second pass over one difference, with the request that a grave correction needs."""
    world = cache(**{"tags": BASE.tags, "sku_name": "Premium", **changes})
    seen = observation(
        cache=world,
        cache_fresh=True,
        firewall_rules=(),
        patch_schedule=(),
        storage=storage(),
        storage_secret=connection(),
    )
    drift = found_in(passing({**SAFE, **spec}), world)
    before = [
        {"path": one.path, "declared": one.declared, "observed": one.observed, "class": one.drift_class}
        for one in drift.values()
    ]
    asked = {names.ALLOW_DISRUPTION: ",".join(drift)}
    plan = planned(passing({**SAFE, **spec}, status={"drift": before}, annotations=asked), seen)
    return drift, plan.correcting, sum(isinstance(action, AzureAction) for action in plan.actions)


def connection() -> SecretFacts:
    text = f"DefaultEndpointsProtocol=https;AccountName=shopdata;AccountKey={KEY};EndpointSuffix=core.windows.net"
    data = {names.STORAGE_SECRET_KEY: SecretBytes(text.encode())}
    return SecretFacts("conn", "u", "1", names.STORAGE_SECRET_TYPE, data)


@pytest.mark.parametrize(("path", "spec", "changes"), ONE_EACH, ids=[path for path, _, _ in ONE_EACH])
def test_each_path_that_can_differ_has_a_correction(path: str, spec: dict[str, Any], changes: dict[str, Any]) -> None:
    drift, correcting, writes = pass_over(spec, changes)
    assert path in drift
    if path in ONLY_A_NEW_CACHE:
        assert (drift[path].effect, drift[path].correctable, writes) == (Effect.NEEDS_REPLACEMENT, False, 0)
    else:
        assert drift[path].correctable
        assert (path in correcting, writes) == (True, 1)


def test_the_table_names_every_path_and_each_class_has_a_correction() -> None:
    assert {path.partition("[")[0] for path, _, _ in ONE_EACH} == set(COMPARED)
    classes = {
        drift.drift_class
        for path, spec, changes in ONE_EACH
        for drift in pass_over(spec, changes)[0].values()
        if drift.path == path and drift.correctable
    }
    assert classes == set(DriftClass)
