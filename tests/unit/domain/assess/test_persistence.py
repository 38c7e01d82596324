"""Where persistence differs from the spec, and what is done about it in which order."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretBytes

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.status import CorrectionStatus, DriftStatus, PendingStatus, Status
from secure_redis.api.times import rfc3339
from secure_redis.domain.assess import persistence
from secure_redis.domain.assess.assessment import assess
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.grants import Grant, GrantPolicy, Power
from secure_redis.domain.observe.governance import WRITE_BLOBS, RoleAssignmentFacts, RolePermissions
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.storage import StorageAbsent
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from secure_redis.domain.plan.actions import (
    AzureAction,
    PersistCache,
    PutFirewallRule,
    UpdateCache,
)
from secure_redis.domain.plan.cache.corrections import Owed
from secure_redis.domain.plan.cache.persistence import next_step
from secure_redis.domain.plan.cache.redis_corrections import next_correction
from secure_redis.domain.plan.plan import plan
from secure_redis.domain.plan.types import (
    COMPLETE,
    CREATE,
    DELETE,
    PERSIST,
    Plan,
    Settings,
)
from tests.builders.storage import ACCOUNT, PRINCIPAL, persisting, spec, storage
from tests.builders.world import (
    CACHE_ID,
    NOW,
    PROVISION,
    SUBSCRIPTION,
    cache,
    drift,
    observation,
    provisioning,
    resource,
)
from tests.unit.domain.assess.test_storage_connection import GOOD, KEY

OWN = {**PROVISION, "identity": {"type": "SystemAssigned"}}
IDENTIFIED = cache(identity_type="SystemAssigned", principal_id=PRINCIPAL)
ROLE = RoleAssignmentFacts(ACCOUNT, "r", PRINCIPAL, permissions=(RolePermissions(data_actions=(WRITE_BLOBS,)),))
BY_STRING = {
    "type": "RDB",
    "storage": {
        "accountID": ACCOUNT,
        "authentication": "ConnectionString",
        "connectionStringSecretRef": {"name": "conn"},
    },
}
ALL = set(persistence.PATHS)


def declared(persist: dict[str, Any], **meta: Any) -> SecureRedisCache:
    return resource({"mode": "Provision", "provision": OWN, "persistence": persist}, **meta)


def step(
    persist: dict[str, Any], facts: Redis, due: set[str] | None = None, **world: Any
) -> AzureAction | Explanation | None:
    annotations = world.pop("annotations", {})
    world = {"storage": storage(), "cache": facts, **world}
    return next_step(
        declared(persist, annotations=annotations), observation(**world), facts, ALL if due is None else due
    )


def refused(found: object) -> tuple[Reason, str]:
    assert isinstance(found, Explanation)
    return found.reason, found.message


# --- differences ----------------------------------------------------------------------------------------------------


def paths(persist: dict[str, Any], facts: Redis) -> dict[str, str]:
    found = drift(resource({"persistence": persist}), facts, ())
    return {one.path: one.drift_class for one in found if one.path.startswith("persistence")}


def test_as_declared() -> None:
    assert paths(spec(), persisting()) == {}
    assert paths({"type": "None"}, cache()) == {}
    assert paths(BY_STRING, persisting(authentication=None)) == {}
    assert paths(BY_STRING, persisting(authentication="SAS")) == {}
    assert paths(spec(), persisting(account="ShopData")) == {}
    assert paths(spec(), persisting(account=None)) == {}  # not reported: nothing to compare; the condition is Unknown


def test_undeclared_is_not_compared() -> None:
    assert [one for one in drift(resource(), persisting(), ()) if one.path.startswith("persistence")] == []


@pytest.mark.parametrize(
    ("facts", "path", "worst"),
    [
        (cache(), persistence.TYPE, "Availability"),
        (persisting(rdb=False, aof=True), persistence.TYPE, "Availability"),
        (persisting(rdb_frequency_minutes=15), persistence.FREQUENCY, "Availability"),
        (persisting(rdb_frequency_minutes=None), persistence.FREQUENCY, "Availability"),
        (persisting(account="elsewhere"), persistence.ACCOUNT, "Security"),
        (persisting(authentication="SAS"), persistence.AUTHENTICATION, "Security"),
    ],
)
def test_each_single_difference_is_one_entry(facts: Redis, path: str, worst: str) -> None:
    assert paths(spec(), facts) == {path: worst}


def test_undeclared_data() -> None:
    assert paths({"type": "None"}, persisting()) == {persistence.TYPE: "Security"}


def test_a_tier_that_cannot_is_not_corrected() -> None:
    found = drift(resource({"persistence": spec()}), cache(sku_name="Standard", sku_family="C"), ())
    assert [one.correctable for one in found if one.path == persistence.TYPE] == [False]


# --- steps ----------------------------------------------------------------------------------------------------------


def test_nothing_due() -> None:
    assert step(spec(), cache(), set()) is None


def test_off() -> None:
    assert step({"type": "None"}, persisting()) == PersistCache({"rdb-backup-enabled": "false"})


def test_a_frequency_alone_needs_no_account() -> None:
    found = step(spec(frequencyMinutes=15), persisting(), {persistence.FREQUENCY}, storage=Unknown(Reason.BUSY, "x"))
    assert found == PersistCache({"rdb-backup-enabled": "true", "rdb-backup-frequency": "15"})


def test_the_identity_comes_first_and_alone() -> None:
    assert step(spec(), cache()) == UpdateCache({"identity": {"type": "SystemAssigned"}}, ("identity",))
    other = "/subscriptions/x/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/u"
    kept = step(spec(), cache(identity_type="UserAssigned", user_assigned_ids=(other,)))
    body = {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {other: {}}}
    assert kept == UpdateCache({"identity": body}, ("identity",))


@pytest.mark.parametrize(
    "roles",
    [
        (),
        Unknown(Reason.AZURE_DENIED, "no", permission="Microsoft.Authorization/roleAssignments/read"),
        (replace(ROLE, permissions=None),),
        (replace(ROLE, conditional=True),),
    ],
)
def test_no_role_that_is_not_surely_there(roles: Any) -> None:
    reason, message = refused(step(spec(), IDENTIFIED, storage_roles=roles))
    assert reason is Reason.STORAGE_ROLE_MISSING
    assert PRINCIPAL in message
    confirm = {names.CONFIRM_STORAGE_ROLE: "another"}
    assert isinstance(step(spec(), IDENTIFIED, storage_roles=roles, annotations=confirm), Explanation)


def test_the_role_observed_or_confirmed() -> None:
    expected = {
        "rdb-backup-enabled": "true",
        "rdb-backup-frequency": "60",
        "aof-backup-enabled": "false",
        "preferred-data-persistence-auth-method": "ManagedIdentity",
        "storage-subscription-id": SUBSCRIPTION,
        "rdb-storage-connection-string": "https://shopdata.blob.core.windows.net",
    }
    for world in ({"storage_roles": (ROLE,)}, {"annotations": {names.CONFIRM_STORAGE_ROLE: "ShopData"}}):
        found = step(spec(), IDENTIFIED, **world)
        assert isinstance(found, PersistCache)
        assert found.settings == expected
        assert found.account is not None
        assert found.secret is None


@pytest.mark.parametrize("facts", [Unknown(Reason.AZURE_DENIED, "no"), StorageAbsent("gone")])
def test_an_unobserved_account_is_not_used_for_persistence(facts: Any) -> None:
    refused(step(spec(), IDENTIFIED, storage=facts, storage_roles=(ROLE,)))
    refused(step(BY_STRING, IDENTIFIED, storage=facts, storage_secret=_secret()))


def test_a_connection_string_is_in_nothing_that_is_shown() -> None:
    found = step(BY_STRING, cache(), storage_secret=_secret())
    assert isinstance(found, PersistCache)
    assert found.secret is not None
    assert found.secret.get_secret_value() == GOOD
    assert found.secret_setting == "rdb-storage-connection-string"
    assert found.settings["preferred-data-persistence-auth-method"] == "SAS"
    assert KEY[:12] not in repr(found)


def test_no_secret() -> None:
    assert refused(step(BY_STRING, cache(), storage_secret=None))[0] is Reason.STORAGE_SECRET_MISSING
    unread = Unknown(Reason.NAMESPACE_NOT_BOUND, "no rights")
    assert refused(step(BY_STRING, cache(), storage_secret=unread))[0] is Reason.STORAGE_UNREAD


def test_one_request_sets_what_is_allowed_all_of_it_or_nothing() -> None:
    """Another type may be corrected; that the account is another one too may not: then neither is."""
    facts = replace(persisting(rdb=False, aof=True, account="elsewhere"), identity_type="SystemAssigned")
    world = {"storage_roles": (ROLE,)}
    assert step(spec(), facts, {persistence.TYPE}, **world) is None
    assert isinstance(step(spec(), facts, {persistence.TYPE, persistence.ACCOUNT}, **world), PersistCache)


def test_while_a_creation_waits_for_the_role_the_network_is_nobodys_to_reopen() -> None:
    open_door = {"publicAccess": "Enabled", "firewallRules": [{"name": "a", "startIP": "1.1.1.1", "endIP": "1.1.1.1"}]}
    made = provisioning(persistence=spec(), network=open_door, provision=OWN)
    found = drift(made, IDENTIFIED, ())
    world = observation(cache=IDENTIFIED, storage=storage(), storage_roles=())
    assert isinstance(next_correction(made, world, IDENTIFIED, found, Owed.ALL).action, PutFirewallRule)
    waiting = next_correction(made, world, IDENTIFIED, found, Owed.PERSISTENCE)
    assert (waiting.action, waiting.persisting) == (None, True)
    assert [one.reason for one in waiting.blocked] == [Reason.STORAGE_ROLE_MISSING]


def test_a_creation_stays_recorded_until_persistence_is_set() -> None:
    settings = Settings(cluster_uid="cluster", policy=GrantPolicy())

    def planned(action: str, facts: Redis, **world: Any) -> Plan:
        made = provisioning(persistence=spec(), provision=OWN, authentication=None)
        made = replace(made, status=Status(pending=PendingStatus(action=action, recorded_at=rfc3339(NOW))))
        observed = observation(cache=facts, cache_fresh=True, storage=storage(), firewall_rules=NOT_READ, **world)
        return plan(made, observed, assess(made, observed, cluster_uid="cluster", ca=None), settings)

    incomplete = {names.CREATION_TAG: names.CREATION_INCOMPLETE}
    begun = replace(IDENTIFIED, tags={**IDENTIFIED.tags, **incomplete})
    for recorded in (COMPLETE, PERSIST):
        forged = planned(recorded, IDENTIFIED, storage_roles=(ROLE,))
        assert [a for a in forged.actions if isinstance(a, AzureAction)] == []
        waiting = planned(recorded, begun, storage_roles=())
        assert [a for a in waiting.actions if isinstance(a, AzureAction)] == []
        assert waiting.pending is not None
        assert waiting.pending.action == PERSIST
        sets = planned(recorded, begun, storage_roles=(ROLE,))
        assert [type(a) for a in sets.actions if isinstance(a, AzureAction)] == [PersistCache]
        assert sets.pending is not None
        there = persisting()
        ended = planned(recorded, replace(there, tags={**there.tags, **incomplete}))
        assert [a for a in ended.actions if isinstance(a, AzureAction)] == [
            UpdateCache({"tags": there.tags}, ("tags",))
        ]
        assert planned(recorded, there).pending is None


OPEN_TO_ALL = {"publicAccess": "Enabled"}
CONTESTED = tuple(
    CorrectionStatus(path=path, count=2, at=rfc3339(NOW), generation=0)
    for path in ("network.publicAccess", persistence.TYPE)
)


@pytest.mark.parametrize("recorded", [None, CREATE, COMPLETE, PERSIST, DELETE])
@pytest.mark.parametrize(
    ("tag", "writes"),
    [(names.CREATION_INCOMPLETE, [("publicNetworkAccess", "tags")]), (names.CREATION_PERSISTENCE, [])],
)
def test_the_tag_and_not_the_status_says_whether_a_creation_still_opens_the_cache(
    recorded: str | None, tag: str, writes: list[Any]
) -> None:
    pending = None if recorded is None else PendingStatus(action=recorded, recorded_at=rfc3339(NOW))
    found = _of_creation(tag, Status(pending=pending), public_network_access="Disabled")
    changes = [action for action in found.actions if isinstance(action, UpdateCache)]
    assert [action.fields for action in changes] == writes
    for action in changes:
        assert action.body["tags"][names.CREATION_TAG] == names.CREATION_PERSISTENCE


def test_that_the_network_was_brought_is_written_before_a_creation_waits_for_its_persistence() -> None:
    (action,) = _of_creation(names.CREATION_INCOMPLETE, Status(), public_network_access="Enabled").actions
    assert isinstance(action, UpdateCache)
    assert action.fields == ("tags",)
    assert action.body["tags"][names.CREATION_TAG] == names.CREATION_PERSISTENCE


@pytest.mark.parametrize("tag", [names.CREATION_INCOMPLETE, names.CREATION_PERSISTENCE])
def test_a_record_of_contested_paths_does_not_end_a_creation(tag: str) -> None:
    found = _of_creation(tag, Status(corrections=CONTESTED), public_network_access="Disabled")
    assert found.actions == ()
    assert found.pending is not None


def test_a_creation_whose_network_is_held_back_owes_it_still() -> None:
    held = Status(corrections=CONTESTED[:1])
    found = _of_creation(names.CREATION_INCOMPLETE, held, public_network_access="Disabled")
    assert found.actions == (), "the tag is not written before the network is there"
    assert found.pending is not None
    assert found.pending.action == COMPLETE


def _of_creation(tag: str, status: Status, **changes: Any) -> Plan:
    """The plan for a cache in creation whose identity has no role yet."""
    made = provisioning(persistence=spec(), provision=OWN, authentication=None, network=OPEN_TO_ALL)
    facts = replace(IDENTIFIED, tags={**IDENTIFIED.tags, names.CREATION_TAG: tag}, **changes)
    observed = observation(cache=facts, cache_fresh=True, storage=storage(), storage_roles=(), firewall_rules=())
    settings = Settings(cluster_uid="cluster", policy=GrantPolicy())
    return plan(
        replace(made, status=status), observed, assess(made, observed, cluster_uid="cluster", ca=None), settings
    )


def test_setting_it_needs_a_grant_that_names_the_account() -> None:
    for accounts, allowed in (((), False), ((ACCOUNT,), True)):
        cap = Grant(("shop",), frozenset({Power.CORRECT}), caches=(CACHE_ID,), storage_accounts=accounts)
        settings = Settings(cluster_uid="cluster", policy=GrantPolicy(caps=(cap,)))
        correct = {"correct": ["Security", "Availability"]}
        made = provisioning(persistence=spec(), provision=OWN, authentication=None, drift=correct)
        shown = DriftStatus(
            path=persistence.TYPE, declared="RDB", observed="None", drift_class="Availability", since=rfc3339(NOW)
        )
        made = replace(made, status=Status(drift=(shown,)))
        observed = observation(cache=IDENTIFIED, cache_fresh=True, storage=storage(), storage_roles=(ROLE,))
        found = plan(made, observed, assess(made, observed, cluster_uid="cluster", ca=None), settings)
        assert [type(a) for a in found.actions if isinstance(a, AzureAction)] == ([PersistCache] if allowed else [])
        assert [one.reason for one in found.blocked] == ([] if allowed else [Reason.NOT_GRANTED])


def test_an_account_at_a_time_and_only_what_the_spec_allows() -> None:
    """Class Security does not let persistence be switched on, which is Availability."""
    made = provisioning(persistence=spec(), drift={"correct": ["Security"]})
    found = drift(made, cache(), ())
    assert next_correction(made, observation(), cache(), found).action is None


def test_the_account_to_follow() -> None:
    assert persistence.account_to_follow(resource(), cache()) is None
    assert (
        str(getattr(persistence.account_to_follow(resource({"persistence": spec()}), cache()), "text", "")) == ACCOUNT
    )
    assert persistence.account_to_follow(resource(), persisting(account=None)) is None
    found = persistence.account_to_follow(resource(), persisting(subscription="s"))
    assert found == persistence.Named("s", "shopdata")
    moved = persistence.account_to_follow(resource({"persistence": spec()}), persisting(account="elsewhere"))
    assert moved == persistence.Named(SUBSCRIPTION, "elsewhere")


def _secret() -> SecretFacts:
    data = {names.STORAGE_SECRET_KEY: SecretBytes(GOOD.encode())}
    return SecretFacts("conn", "u", "1", names.STORAGE_SECRET_TYPE, data)
