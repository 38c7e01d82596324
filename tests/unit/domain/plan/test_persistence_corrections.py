"""Persistence under drift's rules: one request that corrects several paths, which needs consent, what comes back."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.status import CorrectionStatus, DriftStatus, LastHandled, Status
from secure_redis.api.times import rfc3339
from secure_redis.domain.assess import persistence
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.explanation import Blocked
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.plan.actions import PersistCache, PutFirewallRule, UpdateCache
from secure_redis.domain.plan.cache.corrections import RETRY_SECONDS, Correction, Owed
from secure_redis.domain.plan.cache.persistence import blocked_by
from secure_redis.domain.plan.cache.redis_corrections import next_correction
from secure_redis.domain.plan.outcomes import Done, Failed
from secure_redis.domain.plan.types import Plan
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.domain.report.drift_status import corrections as recorded
from tests.builders.storage import PRINCIPAL, persisting, spec, storage
from tests.builders.world import NOW, PROVISION, cache, differences, observation, provisioning
from tests.unit.domain.assess.test_persistence import IDENTIFIED, ROLE

OWN = {**PROVISION, "identity": {"type": "SystemAssigned"}}
AWAY = replace(persisting(account="elsewhere", rdb_frequency_minutes=15), identity_type="SystemAssigned")
IDENTITY = "provision.identity.type"


def declared(persist: dict[str, Any], *told: CorrectionStatus, annotations: Any = None) -> SecureRedisCache:
    """A resource whose spec lets everything be corrected and whose status reports every path already."""
    made = provisioning(
        persistence=persist, provision=OWN, authentication=None, drift={"correct": ["Security", "Availability"]}
    )
    shown = tuple(
        DriftStatus(path=path, declared="a", observed="b", drift_class="Security", since=rfc3339(NOW))
        for path in persistence.PATHS
    )
    requests = {**made.requests, **(annotations or {})}
    return replace(made, requests=requests, status=Status(drift=shown, corrections=told))


def correction(made: SecureRedisCache, facts: Redis, owes: Owed = Owed.NOTHING, **world: Any) -> Correction:
    looked = observation(cache=facts, **{"storage": storage(), "storage_roles": (ROLE,), **world})
    return next_correction(made, looked, facts, differences(made, facts, ()), owes)


def corrected(path: str, made: SecureRedisCache, count: int = 2) -> CorrectionStatus:
    return CorrectionStatus(path=path, count=count, at=rfc3339(NOW), generation=made.generation)


def test_one_request_is_counted_for_every_path_that_it_mends() -> None:
    made = declared(spec())
    found = correction(made, AWAY)
    assert isinstance(found.action, PersistCache)
    assert set(found.paths) == {persistence.FREQUENCY, persistence.ACCOUNT}
    looked, wants = observation(cache=AWAY), Plan(actions=(found.action,), correcting=found.paths)
    kept = recorded(made, looked, Assessment(drift=differences(made, AWAY, ())), wants, (Done(found.action),))
    assert {(one.path, one.count) for one in kept} == {(persistence.FREQUENCY, 1), (persistence.ACCOUNT, 1)}


def test_a_value_that_came_back_twice_blocks_the_whole_request() -> None:
    made = declared(spec())
    made = replace(made, status=made.status.model_copy(update={"corrections": (corrected(persistence.ACCOUNT, made),)}))
    other = replace(AWAY, persistence=replace(AWAY.persistence, rdb=False, aof=True))
    found = correction(made, other)
    assert found.action is None
    assert found.not_corrected[persistence.ACCOUNT].reason is Reason.CONTESTED
    # The schedule alone touches no account.
    alone = correction(made, AWAY)
    assert alone.paths == (persistence.FREQUENCY,)
    assert isinstance(alone.action, PersistCache)
    assert set(alone.action.settings) == {"rdb-backup-enabled", "rdb-backup-frequency"}


def test_the_identity_that_persistence_needs_is_counted_apart() -> None:
    made = declared(spec())
    found = correction(made, cache())
    assert isinstance(found.action, UpdateCache)
    assert found.paths == (IDENTITY,)
    fought = replace(made, status=made.status.model_copy(update={"corrections": (corrected(IDENTITY, made),)}))
    left = correction(fought, cache())
    assert (left.action, left.persisting) == (None, True)
    assert left.not_corrected[persistence.TYPE].reason is Reason.CONTESTED
    # Of persistence itself nothing was counted yet.
    assert isinstance(correction(fought, IDENTIFIED).action, PersistCache)


def test_the_awaited_condition_is_reported_at_each_path_and_checked_soon() -> None:
    found = correction(declared(spec()), AWAY, storage_roles=())
    assert (found.action, found.persisting, found.next_pass_in) == (None, True, RETRY_SECONDS)
    assert {path: why.reason for path, why in found.not_corrected.items()} == {
        persistence.FREQUENCY: Reason.STORAGE_ROLE_MISSING,
        persistence.ACCOUNT: Reason.STORAGE_ROLE_MISSING,
    }
    assert [one.reason for one in found.blocked] == [Reason.STORAGE_ROLE_MISSING]


def test_disabling_persistence_requires_consent_by_name() -> None:
    off = declared({"type": "None"})
    found = correction(off, persisting())
    assert found.action is None
    assert found.not_corrected[persistence.TYPE].reason is Reason.DISRUPTION_NOT_ALLOWED
    asked = declared({"type": "None"}, annotations={names.ALLOW_DISRUPTION: persistence.TYPE})
    assert isinstance(correction(asked, persisting()).action, PersistCache)


def test_the_remaining_steps_of_a_creation_are_blocked_when_contested() -> None:
    made = declared(spec())
    facts = replace(cache(identity_type="SystemAssigned"), principal_id=PRINCIPAL)
    assert isinstance(correction(made, facts, Owed.PERSISTENCE).action, PersistCache)
    told = made.status.model_copy(update={"corrections": (corrected(persistence.TYPE, made),)})
    assert correction(replace(made, status=told), facts, Owed.PERSISTENCE).action is None


def _refused(path: str, made: SecureRedisCache, minutes: float = 0) -> CorrectionStatus:
    return CorrectionStatus(
        path=path,
        count=0,
        at=rfc3339(NOW - timedelta(minutes=minutes)),
        generation=made.generation,
        reason=Reason.REQUEST_REFUSED,
        message="no",
    )


def test_a_refused_part_of_a_creation_stays_due_and_is_not_sent_for_an_hour() -> None:
    made = declared(spec())
    refused = made.status.model_copy(update={"corrections": (_refused(persistence.TYPE, made, 59),)})
    for owes in (Owed.PERSISTENCE, Owed.ALL):
        held = correction(replace(made, status=refused), IDENTIFIED, owes)
        assert (held.action, held.persisting, held.owing) == (None, True, True)
        assert [why.reason for why in held.blocked] == [Reason.REQUEST_REFUSED]
    looked = refused.model_copy(update={"last_handled": LastHandled(refresh="before")})
    asked = replace(made, status=looked, requests={names.REFRESH: "now"})
    assert isinstance(correction(asked, IDENTIFIED, Owed.PERSISTENCE).action, PersistCache)
    later = made.status.model_copy(update={"corrections": (_refused(persistence.TYPE, made, 60),)})
    assert isinstance(correction(replace(made, status=later), IDENTIFIED, Owed.PERSISTENCE).action, PersistCache)


def test_a_rule_refused_during_creation_stays_due_and_no_longer_blocks_persistence() -> None:
    rule = {"name": "a", "startIP": "1.1.1.1", "endIP": "1.1.1.1"}
    made = provisioning(
        persistence=spec(),
        provision=OWN,
        network={"publicAccess": "Disabled", "firewallRules": [rule]},
        authentication=None,
    )
    assert isinstance(correction(made, IDENTIFIED, Owed.ALL, firewall_rules=()).action, PutFirewallRule)
    told = Status(corrections=(_refused("network.firewallRules[a]", made),))
    held = correction(replace(made, status=told), IDENTIFIED, Owed.ALL, firewall_rules=())
    assert isinstance(held.action, PersistCache)
    assert held.owing
    assert not correction(replace(made, status=told), persisting(), Owed.ALL, firewall_rules=()).persisting


def test_only_refusals_of_a_creation_are_remembered() -> None:
    made = declared(spec())
    action = PersistCache({"rdb-backup-enabled": "true"})
    plan, looked, assessed = (
        Plan(actions=(action,), owed=(persistence.TYPE,)),
        observation(cache=IDENTIFIED),
        Assessment(drift=()),
    )
    for reason, kept in ((Reason.REQUEST_REFUSED, 1), (Reason.LOCKED, 1), (Reason.AZURE_DENIED, 0)):
        outcome = Failed(action, WriteFailure(reason, "no", permanent=True))
        assert len(recorded(made, looked, assessed, plan, (outcome,))) == kept
    assert recorded(made, looked, assessed, plan, (Done(action),)) == ()
    again = replace(
        made, status=made.status.model_copy(update={"corrections": (_refused(persistence.TYPE, made, 61),)})
    )
    assert recorded(again, looked, assessed, plan, (Done(action),)) == ()
    counted = replace(made, status=made.status.model_copy(update={"corrections": (corrected(persistence.TYPE, made),)}))
    assert [one.count for one in recorded(counted, looked, assessed, plan, (Done(action),))] == [2]


def test_the_message_from_azure_explains_why_persistence_is_not_set() -> None:
    action = PersistCache({})
    for permanent, told in ((True, Reason.REQUEST_REFUSED), (False, None)):
        failed = Failed(action, WriteFailure(Reason.REQUEST_REFUSED, "no", permanent=permanent))
        found = blocked_by(Plan(actions=(action,)), [failed])
        assert (found.reason if found else None) == told
    held = Blocked(Reason.REQUEST_REFUSED, "no")
    assert blocked_by(Plan(not_corrected={persistence.ACCOUNT: held}), []) == held
    assert blocked_by(Plan(not_corrected={"transport.nonTLSPort": held}), []) is None
    waits = Blocked(Reason.STORAGE_ROLE_MISSING, "assign it")
    assert blocked_by(Plan(blocked=(waits,), not_corrected={persistence.TYPE: held}), []) == waits
