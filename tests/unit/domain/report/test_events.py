"""Events report transitions: what a person has to do is a Warning, an outage is none."""

from typing import Any

import pytest

from secure_redis.api.reasons.catalogue import REASONS, needs_person
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import ON_CACHE, Trait
from secure_redis.api.status import Status
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from tests.builders.passes import observation, reported, resource
from tests.builders.world import AUTHENTICATION

SPEC = {"authentication": AUTHENTICATION}
FIRST_MISTAKES = (
    Reason.CONSENT_MISSING,
    Reason.SERVICE_ACCOUNT_NOT_FOUND,
    Reason.SERVICE_ACCOUNT_NOT_ANNOTATED,
    Reason.NAMESPACE_NOT_BOUND,
    Reason.NO_IDENTITY,
    Reason.TOKEN_REFUSED,
    Reason.AZURE_DENIED,
    Reason.SUBSCRIPTION_UNAVAILABLE,
)


def unread(reason: Reason) -> Unknown:
    return Unknown(reason, f"found {reason}: repair it")


def blocked(reason: Reason) -> Observation:
    """Return an observation in which no part of Azure can be read for this reason."""
    return observation(identity=unread(reason), cache=NOT_READ, vault=NOT_READ)


def after(reason: Reason) -> dict[str, object]:
    """The status after a pass that could not read the cache for this reason."""
    return reported(resource(SPEC), blocked(reason)).status.document()


def test_every_reason_that_a_cache_can_show_is_for_a_person_or_ends_by_itself() -> None:
    """A reason without traits is for a person, so that a new one is reported unless its row says otherwise."""
    shown = {reason for reason, row in REASONS.items() if row.conditions & ON_CACHE and row.remedy == "Wait."}
    assert {reason for reason in shown if needs_person(reason)} - {Reason.FIRST_LOOK, Reason.CAPPED} == set()


@pytest.mark.parametrize("reason", FIRST_MISTAKES)
def test_a_first_mistake_is_one_warning_with_the_remedy(reason: Reason) -> None:
    (event,) = reported(resource(SPEC), blocked(reason)).events
    assert (event.kind, event.reason) == ("Warning", reason)
    assert event.note == f"Ready: found {reason}: repair it"


def test_a_missing_vault_is_a_warning_too() -> None:
    event, retirement = reported(resource(SPEC), observation(vault=unread(Reason.VAULT_NOT_FOUND))).events
    assert retirement.reason == Reason.RETIREMENT_ANNOUNCED
    assert (event.kind, event.reason) == ("Warning", "VaultNotFound")


@pytest.mark.parametrize("reason", FIRST_MISTAKES)
def test_the_same_mistake_is_not_repeated(reason: Reason) -> None:
    again = resource(SPEC, status=after(reason))
    assert reported(again, blocked(reason)).events == ()


def test_another_mistake_is_reported_and_so_is_its_end() -> None:
    before = resource(SPEC, status=after(Reason.CONSENT_MISSING))
    (event,) = reported(before, blocked(Reason.TOKEN_REFUSED)).events
    assert (event.kind, event.reason) == ("Warning", "TokenRefused")
    ended = reported(before, observation()).events
    assert ("Normal", "Ready") in {(one.kind, one.reason) for one in ended}
    assert all(one.kind == "Normal" for one in ended)


@pytest.mark.parametrize("reason", sorted(reason for reason, row in REASONS.items() if Trait.PASSING in row.traits))
def test_an_outage_is_no_event(reason: Reason) -> None:
    assert reported(resource(SPEC), blocked(reason)).events == ()
    ended = reported(resource(SPEC, status=after(reason)), observation()).events
    assert {event.reason for event in ended} == {Reason.RETIREMENT_ANNOUNCED}, "nor is its end"


def test_a_retirement_is_one_event_when_its_day_is_first_known_and_when_it_changes() -> None:
    def announced(status: dict[str, Any], found: Observation | None = None) -> list[str]:
        events = reported(resource(status=status), found or observation()).events
        return [event.note for event in events if event.reason == Reason.RETIREMENT_ANNOUNCED]

    known = reported(resource(), observation()).status.document()
    (note,) = announced({})
    assert "2028-09-30" in note
    assert announced(known) == []
    assert announced({**known, "cache": {**known["cache"], "retiresOn": "2027-09-30"}}) == [note]
    assert announced(known, blocked(Reason.AZURE_UNREACHABLE)) == []


def messages(status: Status) -> list[str]:
    return [one.message for one in status.conditions]


def test_a_blocked_object_states_the_message_once() -> None:
    found = reported(resource(SPEC), blocked(Reason.CONSENT_MISSING)).status
    message = f"found {Reason.CONSENT_MISSING}: repair it"
    assert messages(found).count(message) == 1
    assert set(messages(found)) == {message, "see Ready"}
    told = {str(one.type): (one.status, one.reason) for one in found.conditions}
    assert told == {
        "Ready": ("Unknown", "ConsentMissing"),
        "CacheAvailable": ("Unknown", "ConsentMissing"),
        "CredentialsSynced": ("Unknown", "ConsentMissing"),
        "TransportSecured": ("Unknown", "NotReady"),
        "Compliant": ("Unknown", "NotReady"),
        "DriftDetected": ("Unknown", "NotReady"),
    }


def test_what_kstatus_shows_stays_whole() -> None:
    found = reported(resource(SPEC), blocked(Reason.SUBSCRIPTION_UNAVAILABLE)).status
    stalled = found.condition(ConditionType.STALLED)
    assert stalled is not None
    assert stalled.message == "found SubscriptionUnavailable: repair it"


def test_an_outage_of_what_was_ready_is_explained_by_the_cache() -> None:
    before = reported(resource(), observation()).status.document()
    found = reported(resource(status=before), observation(cache=unread(Reason.AZURE_UNREACHABLE))).status
    told = {str(one.type): (one.status, one.message) for one in found.conditions}
    assert told["Ready"][0] == "True"
    assert told["CacheAvailable"] == ("Unknown", "found AzureUnreachable: repair it")
    assert told["DriftDetected"] == ("Unknown", "see CacheAvailable")
