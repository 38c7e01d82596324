"""Whether a rotation is requested, what forbids it, and the mark that shows whether a key was regenerated."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.ownership import leader_value, leads
from secure_redis.domain.assess.rotation_record import Rotated, digest
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.grants import (
    Grant,
    GrantPolicy,
    Power,
    VaultScope,
    VaultTarget,
    granted,
)
from secure_redis.domain.observe.cache import CacheAbsent
from secure_redis.domain.observe.identity import OperatorIdentity
from secure_redis.domain.observe.keys import ListedKeys, Slot, VaultSecretFacts
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from secure_redis.domain.plan.rotation.regeneration_mark import (
    RegenerationMark,
    key_of,
    marked,
    other,
    unmarked,
)
from secure_redis.domain.plan.rotation.request import (
    RotationRequest,
    backed,
    blocked_by,
    due,
    not_permitted,
    requested,
    retires,
)
from secure_redis.domain.plan.types import Settings
from secure_redis.domain.plan.windows import jitter
from tests.builders import passes
from tests.builders.passes import OWNER, vault
from tests.builders.rotation_stage import POLICY, SETTINGS
from tests.builders.world import AUTHENTICATION, CACHE_ID, CLUSTER, IDENTITY, NOW, PRIMARY, SECONDARY, UID, VAULT

KEY_VAULT = {**AUTHENTICATION["keyVault"], "access": "ReadWrite"}
CREATED = NOW - timedelta(days=10)
SOMEBODY = RotationRequest("please")
SCHEDULE = RotationRequest(None)
TAGGED = {"ProviderAddress": CACHE_ID, "CredentialId": "Primary"}
ROTATED = Rotated("2026-11-01T00:00:00Z", Slot.PRIMARY, digest("please")).tag
# Claims of a status: they have no effect.
CLAIMED = {
    "rotation": {
        "phase": "Completed",
        "completedAt": "2026-01-01T00:00:00Z",
        "slot": "Primary",
        "request": "emergency-x",
    },
    "credential": {"slot": "Primary", "keyVaultVersion": "a" * 32, "publishedAt": "2026-01-01T00:00:00Z"},
}


def resource(
    status: dict[str, Any] | None = None,
    key_vault: dict[str, Any] | None = None,
    rotate: str | None = None,
    approve: str | None = None,
    **rotation: Any,
) -> SecureRedisCache:
    """A leading resource whose vault secret is ReadWrite."""
    spec = {"authentication": {"keyVault": {**KEY_VAULT, **(key_vault or {})}, "rotation": rotation}}
    asked = {names.ROTATE: rotate, names.APPROVE_ROTATION: approve}
    annotations = {name: value for name, value in asked.items() if value is not None}
    return passes.resource(spec, annotations=annotations, status={"lastHandled": {}, **(status or {})})


def observation(**changes: Any) -> Observation:
    """All is read, and the cache is led."""
    held = vault(tags=TAGGED, created=CREATED)
    return passes.observation(**{"cache": passes.cache(tags=OWNER), "vault": held, **changes})


def reason(
    res: SecureRedisCache, obs: Observation, wanted: RotationRequest = SOMEBODY, settings: Settings = SETTINGS
) -> Any:
    refusal = blocked_by(res, obs, settings, wanted)
    return None if refusal is None else refusal.reason


# --- wish -----------------------------------------------------------------------------------------------------------


def test_a_new_value_of_the_annotation_is_a_request() -> None:
    assert requested(resource(rotate="please"), observation()) == RotationRequest("please")


@pytest.mark.parametrize("status", [{"lastHandled": None}, {"lastHandled": {"rotate": "please"}}])
def test_a_value_of_the_first_pass_or_an_answered_one_is_no_request(status: dict[str, Any]) -> None:
    assert requested(resource(status, rotate="please"), observation()) is None


def test_nothing_requested_and_nothing_scheduled() -> None:
    assert requested(resource(), observation()) is None
    assert due(resource(), observation()) is None


@pytest.mark.parametrize(
    ("value", "emergency", "forced"),
    [
        (None, False, False),
        ("please", False, False),
        ("emergency", False, False),
        ("emergency-x", True, False),
        ("emergency-force-x", True, True),
    ],
)
def test_the_parts_of_a_request_are_parsed(value: str | None, emergency: bool, forced: bool) -> None:
    assert (RotationRequest(value).emergency, RotationRequest(value).forced) == (emergency, forced)


def test_the_interval_counts_from_the_current_version_and_comes_early_by_the_jitter() -> None:
    res, interval = resource(intervalDays=30), timedelta(days=30)
    early = jitter(UID, interval)
    when = due(res, observation())
    assert when == CREATED + interval - early
    assert timedelta() <= early <= timedelta(days=1)
    assert requested(res, observation(now=when - timedelta(seconds=1))) is None
    assert requested(res, observation(now=when)) == RotationRequest(None)


def test_the_tag_gives_a_schedule_when_key_vault_reports_the_near_expiry() -> None:
    held = vault(created=CREATED, tags={**TAGGED, "ValidityPeriodDays": "90"})
    interval = timedelta(days=60)
    assert due(resource(), observation(vault=held)) == CREATED + interval - jitter(UID, interval)


def test_a_short_validity_is_halved() -> None:
    held = vault(created=CREATED, tags={**TAGGED, "ValidityPeriodDays": "40"})
    interval = timedelta(days=20)
    assert due(resource(), observation(vault=held)) == CREATED + interval - jitter(UID, interval)


def test_the_interval_comes_before_the_tag() -> None:
    held = vault(created=CREATED, tags={**TAGGED, "ValidityPeriodDays": "90"})
    interval = timedelta(days=7)
    assert due(resource(intervalDays=7), observation(vault=held)) == CREATED + interval - jitter(UID, interval)


def test_a_requested_rotation_comes_before_a_scheduled_one() -> None:
    assert requested(resource(rotate="please", intervalDays=1), observation()) == RotationRequest("please")
    assert requested(resource(intervalDays=1), observation()) == RotationRequest(None)


@pytest.mark.parametrize(
    ("res", "changes"),
    [
        (resource(intervalDays=1, key_vault={"access": "Read"}), {}),
        (resource(intervalDays=1), {"vault": NOT_READ}),
        (resource(intervalDays=1), {"vault": vault(created=None)}),
        (passes.resource(), {}),
    ],
)
def test_without_these_nothing_is_due(res: SecureRedisCache, changes: dict[str, Any]) -> None:
    assert due(res, observation(**changes)) is None


# --- what bars it ---------------------------------------------------------------------------------------------------


def test_nothing_bars_what_is_right() -> None:
    assert reason(resource(otherConsumers="None"), observation()) is None
    assert reason(resource(otherConsumers="None"), observation(), SCHEDULE) is None


def test_no_authentication_and_no_write_access() -> None:
    assert reason(passes.resource(), observation()) is Reason.ROTATION_READ_ONLY
    assert reason(resource(key_vault={"access": "Read"}), observation()) is Reason.ROTATION_READ_ONLY


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"cache": CacheAbsent(confirmed=True, message="gone")}, Reason.PENDING),
        ({"identity": Unknown(Reason.NO_IDENTITY, "none")}, Reason.NO_IDENTITY),
        ({"cache": passes.cache(tags={})}, Reason.NOT_LEADING),
        ({"cache": passes.cache(tags=OWNER, geo_linked=("other",))}, Reason.GEO_REPLICATED),
        ({"cache": passes.cache(tags=OWNER, access_keys_enabled=False)}, Reason.ACCESS_KEYS_DISABLED),
        ({"cache": passes.cache(tags=OWNER, authentication_disabled=True)}, Reason.AUTHENTICATION_DISABLED),
        ({"identity": OperatorIdentity()}, Reason.NOT_GRANTED),
    ],
)
def test_without_a_right(changes: dict[str, Any], expected: Reason) -> None:
    assert reason(resource(otherConsumers="None"), observation(**changes)) is expected
    refusal = not_permitted(resource(otherConsumers="None"), observation(**changes), SETTINGS)
    assert refusal is not None
    assert refusal.reason is expected


@pytest.mark.parametrize("missing", [Power.ROTATE, Power.STORE_KEY])
def test_both_powers_are_needed(missing: Power) -> None:
    cap = replace(POLICY.caps[0], powers=frozenset(Power) - {missing})
    refusal = blocked_by(
        resource(otherConsumers="None"), observation(), Settings(CLUSTER, GrantPolicy(caps=(cap,))), SOMEBODY
    )
    assert refusal is not None
    assert refusal.reason is Reason.NOT_GRANTED
    assert missing in refusal.message


FORCE = RotationRequest("emergency-force-x")


@pytest.mark.parametrize(
    ("others", "policy", "expected"),
    [
        ("None", POLICY, None),
        ("Possible", POLICY, Reason.FORCE_NOT_ALLOWED),
        ("None", GrantPolicy(), Reason.FORCE_NOT_ALLOWED),  # no caps: no one named the power
    ],
)
def test_force_needs_both_yeses(others: str, policy: GrantPolicy, expected: Reason | None) -> None:
    assert reason(resource(otherConsumers=others), observation(), FORCE, Settings(CLUSTER, policy)) is expected


def test_granted_is_what_the_configuration_names() -> None:
    at = VaultTarget(VAULT, "orders-key")
    cache = resource().cache
    assert not granted(GrantPolicy(), IDENTITY, "shop", Power.ROTATE, cache=cache, vault=at)
    assert granted(POLICY, IDENTITY, "shop", Power.ROTATE, cache=cache, vault=at)
    assert not granted(POLICY, OperatorIdentity(), "shop", Power.ROTATE, cache=cache, vault=at)
    grant = Grant(("shop",), frozenset({Power.ROTATE}), (CACHE_ID,), (VaultScope(VAULT),))
    own = GrantPolicy(grants=(grant,))
    assert granted(own, OperatorIdentity(), "shop", Power.ROTATE, cache=cache, vault=at)
    assert not granted(own, OperatorIdentity(), "bank", Power.ROTATE, cache=cache, vault=at)


NIGHTS = [{"schedule": "0 2 * * *", "durationMinutes": 60}]


def test_windows_restrict_only_the_schedule() -> None:
    res = resource(otherConsumers="None", windows=NIGHTS)
    refusal = blocked_by(res, observation(), SETTINGS, SCHEDULE)
    assert refusal is not None
    assert refusal.reason is Reason.OUTSIDE_WINDOW
    assert "2026-11-25T02:00:00Z" in refusal.message
    assert reason(res, observation()) is None
    assert reason(res, observation(now=datetime.fromisoformat("2026-11-25T02:30:00Z")), SCHEDULE) is None


def test_an_unreadable_window_is_reported() -> None:
    res = resource(otherConsumers="None", windows=[{"schedule": "whenever", "durationMinutes": 60}])
    assert reason(res, observation(), SCHEDULE) is Reason.INVALID_SPEC


# --- consumers outside ----------------------------------------------------------------------------------------------

AGO = NOW - timedelta(hours=36)  # when the current version was created


@pytest.mark.parametrize("status", [{}, CLAIMED])
@pytest.mark.parametrize(
    ("tags", "created", "approve", "hours", "expected"),
    [
        ({}, AGO, None, 48, Reason.APPROVAL_REQUIRED),
        ({}, AGO, "yes", 48, Reason.APPROVAL_REQUIRED),
        ({}, AGO, "b" * 32, 48, Reason.APPROVAL_REQUIRED),
        ({}, AGO, "a" * 32, 48, None),
        (ROTATED, AGO, None, 48, Reason.OVERLAP_NOT_OVER),
        (ROTATED, AGO, None, 37, Reason.OVERLAP_NOT_OVER),
        (ROTATED, AGO, None, 36, None),
        (ROTATED, None, None, 36, Reason.PENDING),
        # The tag of another slot than the version's own: another party stored it, and copied the tags.
        ({**ROTATED, "CredentialId": "Secondary"}, AGO, None, 1, Reason.APPROVAL_REQUIRED),
        ({names.ROTATED_TAG: "nonsense"}, AGO, None, 1, Reason.APPROVAL_REQUIRED),
    ],
)
def test_overlap_and_approval(
    status: dict[str, Any],
    tags: dict[str, str],
    created: datetime | None,
    approve: str | None,
    hours: int,
    expected: Reason | None,
) -> None:
    res = resource(status, approve=approve, minimumOverlapHours=hours)
    found = observation(vault=vault(tags={**TAGGED, **tags}, created=created))
    assert reason(res, found) is expected
    assert reason(res, found, RotationRequest("emergency-x")) is None, "an emergency waits for no consumer outside"


def test_the_refusals_state_the_remedy() -> None:
    first = blocked_by(resource(), observation(), SETTINGS, SOMEBODY)
    assert first == Explanation(
        Reason.APPROVAL_REQUIRED,
        "the first rotation regenerates the Secondary key; make sure that no one uses it, then annotate "
        f"secureredis.io/approve-rotation: {'a' * 32}",
    )
    unknown = blocked_by(resource(), observation(vault=vault(tags={"ProviderAddress": CACHE_ID})), SETTINGS, SOMEBODY)
    assert unknown is not None
    assert "the key that Key Vault does not hold" in unknown.message
    held = vault(tags={**TAGGED, **ROTATED}, created=AGO)
    later = blocked_by(resource(), observation(vault=held), SETTINGS, SOMEBODY)
    assert later is not None
    assert "2026-11-25T00:00:00Z" in later.message


@pytest.mark.parametrize(
    ("others", "value", "expected"),
    [("None", None, True), ("Possible", None, False), ("Possible", "emergency-x", True), ("None", "please", True)],
)
def test_when_the_old_key_is_retired(others: str, value: str | None, expected: bool) -> None:
    assert retires(resource(otherConsumers=others), RotationRequest(value)) is expected


# --- who leads ------------------------------------------------------------------------------------------------------


def test_the_tag_names_the_leader_and_comes_before_the_owner() -> None:
    res = resource()
    assert leads(passes.cache(tags=OWNER), CLUSTER, res)
    assert not leads(passes.cache(tags={}), CLUSTER, res)
    tags = {names.LEADER_TAG.upper(): leader_value(CLUSTER, res)}
    assert leads(passes.cache(tags=tags), CLUSTER, res)
    assert not leads(passes.cache(tags={**OWNER, names.LEADER_TAG: "somebody"}), CLUSTER, res)


# --- the mark -------------------------------------------------------------------------------------------------------

MARK = RegenerationMark("2026-11-24T12:00:00Z", Slot.SECONDARY, False, digest("please"))
KEY = SecretStr(SECONDARY)


def test_a_regeneration_mark_matches_its_key_only_and_names_its_rotation() -> None:
    mark = RegenerationMark.on(marked(TAGGED, MARK.of(KEY)))
    assert mark is not None
    assert mark.fits(KEY)
    assert not mark.fits(SecretStr(PRIMARY))
    assert mark == MARK.of(KEY)
    assert not replace(mark, rotation="2026-11-24T12:00:01Z").fits(KEY)
    assert not replace(mark, slot=Slot.PRIMARY).fits(KEY)
    assert (mark.target, replace(mark, retiring=True).target) == ("Secondary", "Primary")


def test_a_regeneration_mark_keeps_other_tags_replaces_an_earlier_one_and_shows_no_key() -> None:
    earlier = {**TAGGED, names.ROTATION_TAG.upper(): "old/abc"}
    tags = marked(earlier, MARK.of(KEY))
    assert {name: tags[name] for name in TAGGED} == TAGGED
    assert set(tags) == {*TAGGED, names.ROTATION_TAG}
    assert len(tags[names.ROTATION_TAG]) <= 256, "Key Vault's limit of a tag's value"
    assert SECONDARY not in str(tags)
    assert unmarked(tags) == TAGGED


@pytest.mark.parametrize(
    "text",
    ["", "abc", f"{MARK.attempt}/", MARK.attempt, "a/b/c/d/e", "t/Secondary/new/-/\xe9", "t/Secondary/both/-/ff"],
)
def test_an_invalid_regeneration_mark_is_none(text: str) -> None:
    assert RegenerationMark.on({names.ROTATION_TAG: text}) is None
    assert RegenerationMark.on({}) is None


@pytest.mark.parametrize(
    ("annotation", "marked_for", "expected"),
    [
        ("emergency-x", "emergency-x", "emergency-x"),
        ("please", "emergency-x", ""),  # withdrawn: what is left is an ordinary rotation
        (None, "emergency-x", ""),
        ("emergency-x", None, None),
        ("emergency-x", "please", ""),
    ],
)
def test_a_request_counts_only_while_the_annotation_says_so(
    annotation: str | None, marked_for: str | None, expected: str | None
) -> None:
    forged = {"rotation": {"phase": "RollingOut", "request": "emergency-x"}, "lastHandled": {"rotate": "emergency-x"}}
    mark = replace(MARK, request=digest(marked_for))
    assert backed(resource(forged, rotate=annotation), mark) == RotationRequest(expected)


def test_slots() -> None:
    keys = ListedKeys(SecretStr("p"), SecretStr("s"))
    assert [key_of(keys, slot).get_secret_value() for slot in Slot] == ["p", "s"]
    assert [other(slot) for slot in Slot] == [Slot.SECONDARY, Slot.PRIMARY]


def test_a_vault_that_was_not_read_prevents_a_rotation_beside_others() -> None:
    assert isinstance(observation().vault, VaultSecretFacts)
    assert reason(resource(), observation(vault=NOT_READ)) is Reason.PENDING
