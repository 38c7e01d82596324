"""The report of a pass for each world. Statuses are true, do not churn, and lose nothing."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from secure_redis.api import names
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.resource import Unreadable, parse
from secure_redis.api.status import Status
from secure_redis.domain.observe.cache import CacheAbsent, OperationFacts
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from secure_redis.domain.plan.actions import CreateCache, CreateSecret
from secure_redis.domain.plan.outcomes import Done, Failed
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.domain.report.report import Report
from secure_redis.domain.report.status import unreadable
from tests.builders.passes import OWNER, PROVISION, cache, observation, planned, published, reported, resource, vault
from tests.builders.world import AUTHENTICATION, CLUSTER, NOW, PRIMARY, SECONDARY

VALIDATE = {"authentication": AUTHENTICATION}
PROVISIONED = {"mode": "Provision", "provision": PROVISION}
DOWN = Unknown(Reason.AZURE_UNREACHABLE, "no answer")
INTENT = {"pending": {"action": "CreateCache", "recordedAt": "2026-11-24T12:00:00Z"}}


def said(told: Report, kind: ConditionType) -> tuple[str, str] | None:
    condition = told.status.condition(kind)
    return None if condition is None else (condition.status, condition.reason)


def settled(spec: dict[str, Any]) -> dict[str, Any]:
    """The status after a pass in which all went well."""
    return reported(resource(spec), observation()).status.document()


def test_all_well() -> None:
    told = reported(resource(VALIDATE), observation())
    assert {c.type: c.status for c in told.status.conditions} == {
        "Ready": "True",
        "CacheAvailable": "True",
        "TransportSecured": "True",
        "CredentialsSynced": "True",
        "Compliant": "True",
        "DriftDetected": "False",
    }
    assert told.status.binding is not None
    assert told.status.binding.name == "orders"
    assert told.status.credential is not None
    assert told.status.credential.slot == "Primary"
    assert not told.failed
    assert told.next_pass_in == 300


def test_a_first_pass_without_problems_emits_no_event_but_the_retirement() -> None:
    assert [event.reason for event in reported(resource(VALIDATE), observation()).events] == ["RetirementAnnounced"]


def test_a_second_pass_over_the_same_world_changes_nothing() -> None:
    res = resource(VALIDATE, status=settled(VALIDATE))
    told = reported(res, observation(secret=published(res, observation())))
    assert told.status.document() == res.status.document()
    assert told.events == ()


def test_no_key_is_anywhere_in_status_or_events() -> None:
    told = reported(resource(VALIDATE, status=settled(VALIDATE)), observation(vault=vault("leaked-value-of-another")))
    text = f"{told.status.document()} {told.events}"
    assert not [secret for secret in (PRIMARY, SECONDARY, "leaked-value-of-another") if secret in text]


def test_without_authentication_an_assessment_is_ready_however_unsafe() -> None:
    unsafe = cache(plaintext_open=True, minimum_tls_version="1.0", public_network_access="Enabled")
    told = reported(resource(), observation(cache=unsafe))
    assert said(told, ConditionType.READY) == ("True", "Assessed")
    assert said(told, ConditionType.TRANSPORT_SECURED) == ("False", "NonTLSPortOpen")
    assert said(told, ConditionType.DRIFT_DETECTED) == ("True", "Drifted")
    assert said(told, ConditionType.COMPLIANT) == ("False", "Findings")
    assert said(told, ConditionType.CREDENTIALS_SYNCED) is None
    assert said(told, ConditionType.STALLED) is None


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"plaintext_open": True}, "False", "NonTLSPortOpen"),
        ({"minimum_tls_version": "1.1"}, "False", "MinimumTLSTooLow"),
        ({"minimum_tls_version": None}, "Unknown", "MinimumTLSUnset"),
        ({"plaintext_open": None}, "Unknown", "Unknown"),
    ],
)
def test_an_absent_value_is_never_safe(changes: dict[str, Any], status: str, reason: str) -> None:
    told = reported(resource(), observation(cache=cache(**changes)))
    assert said(told, ConditionType.TRANSPORT_SECURED) == (status, reason)


def test_an_outage_keeps_ready_and_known_values_and_reports_unknown() -> None:
    before = settled(VALIDATE)
    res = resource(VALIDATE, status=before)
    told = reported(res, observation(cache=DOWN, vault=DOWN, secret=published(res, observation())))
    assert said(told, ConditionType.READY) == ("True", "Ready")
    assert said(told, ConditionType.CACHE_AVAILABLE) == ("Unknown", "AzureUnreachable")
    assert said(told, ConditionType.DRIFT_DETECTED) == ("Unknown", "NotReady")
    assert told.status.document()["cache"] == before["cache"]
    assert told.failed


def test_outage_on_first_contact_is_not_ready() -> None:
    told = reported(resource(VALIDATE), observation(cache=DOWN, vault=DOWN))
    assert said(told, ConditionType.READY) == ("Unknown", "AzureUnreachable")


def test_lost_secret_is_not_ready_even_in_an_outage() -> None:
    told = reported(resource(VALIDATE, status=settled(VALIDATE)), observation(cache=DOWN, vault=DOWN))
    assert said(told, ConditionType.READY) == ("Unknown", "AzureUnreachable")


def test_a_key_mismatch_is_not_ready_and_is_reported_once() -> None:
    res = resource(VALIDATE, status=settled(VALIDATE))
    told = reported(res, observation(vault=vault("regenerated"), secret=published(res, observation())))
    assert said(told, ConditionType.READY) == ("False", "KeyMismatch")
    assert {event.kind for event in told.events} == {"Warning"}
    again = resource(VALIDATE, status=told.status.document())
    assert reported(again, observation(vault=vault("regenerated"), secret=published(res, observation()))).events == ()


def test_recovery_is_reported() -> None:
    res = resource(VALIDATE, status=settled(VALIDATE))
    worse = reported(res, observation(vault=vault("regenerated"), secret=published(res, observation())))
    better = reported(
        resource(VALIDATE, status=worse.status.document()), observation(secret=published(res, observation()))
    )
    told = {(event.kind, event.reason) for event in better.events}
    # CredentialsSynced states the same as Ready.
    assert told == {("Normal", "Ready"), ("Normal", "Compliant")}


def test_refused_secret_write_is_the_reason() -> None:
    res = resource(VALIDATE)
    (action,) = planned(res, observation()).actions
    assert isinstance(action, CreateSecret)
    told = reported(res, observation(), (Failed(action, WriteFailure(Reason.SECRET_REFUSED, "exceeded quota")),))
    assert said(told, ConditionType.READY) == ("False", "SecretRefused")
    assert told.status.binding is None
    assert told.failed


def test_a_missing_route_is_reported_and_a_provisioned_cache_without_one_is_not_ready() -> None:
    closed = cache(tags=OWNER, private_endpoints=())
    told = reported(resource(PROVISIONED), observation(cache=closed))
    assert said(told, ConditionType.CACHE_AVAILABLE) == ("False", "NoRoute")
    assert said(told, ConditionType.READY) == ("False", "NoRoute")
    assert said(told, ConditionType.STALLED) is None


def test_creating_is_progress() -> None:
    creating = cache(tags=OWNER, provisioning_state="Creating", host_name=None)
    told = reported(resource(PROVISIONED), observation(cache=creating))
    assert said(told, ConditionType.READY) == ("False", "Creating")
    assert said(told, ConditionType.RECONCILING) == ("True", "Creating")
    assert told.next_pass_in == 30


@pytest.mark.parametrize("reason", [Reason.RETIRED, Reason.DENIED_BY_POLICY, Reason.QUOTA_EXCEEDED])
def test_refused_creation_is_stalled_and_not_tried_in_a_loop(reason: Reason) -> None:
    absent = CacheAbsent(confirmed=True, message="no such cache")
    res = resource(PROVISIONED, status=INTENT)
    obs = observation(cache=absent, name_available=True)
    (action,) = planned(res, obs).actions
    assert isinstance(action, CreateCache)
    told = reported(res, obs, (Failed(action, WriteFailure(reason, "refused", permanent=True)),))
    assert said(told, ConditionType.STALLED) == ("True", reason)
    assert said(told, ConditionType.READY) == ("False", reason)
    assert said(told, ConditionType.RECONCILING) is None
    assert told.next_pass_in >= 3600


def test_a_refused_creation_waits_an_hour_across_restarts() -> None:
    absent = CacheAbsent(confirmed=True, message="no such cache")
    res = resource(PROVISIONED, status=INTENT)
    obs = observation(cache=absent, name_available=True)
    (action,) = planned(res, obs).actions
    told = reported(res, obs, (Failed(action, WriteFailure(Reason.QUOTA_EXCEEDED, "no quota", permanent=True)),))
    after = resource(PROVISIONED, status=told.status.document())
    assert planned(after, obs).actions == ()
    assert reported(after, obs).status.document() == told.status.document()
    later = replace(obs, now=NOW + timedelta(hours=2))
    assert [type(a) for a in planned(after, later).actions] == [CreateCache]
    refreshed = resource(PROVISIONED, annotations={names.REFRESH: "again"}, status=told.status.document())
    assert [type(a) for a in planned(refreshed, obs).actions] == [CreateCache]


def test_an_accepted_creation_keeps_the_intent_until_the_cache_is_observed() -> None:
    absent = CacheAbsent(confirmed=True, message="no such cache")
    res = resource(PROVISIONED, status=INTENT)
    told = reported(res, observation(cache=absent, name_available=True))
    assert told.status.pending is not None
    after = resource(PROVISIONED, status=told.status.document())
    assert reported(after, observation(cache=cache(tags=OWNER))).status.pending is None


def test_a_failed_operation_reports_how_it_ended() -> None:
    failed = cache(tags=OWNER, provisioning_state="Failed")
    obs = observation(cache=failed, operation=OperationFacts("Failed", "Capacity", "no room"))
    told = reported(resource(PROVISIONED), obs)
    assert said(told, ConditionType.CACHE_AVAILABLE) == ("False", "ProvisioningFailed")
    condition = told.status.condition(ConditionType.READY)
    assert condition is not None
    assert "Capacity: no room" in condition.message


def test_cache_of_another_resource_is_stalled() -> None:
    other = cache(tags={names.OWNER_TAG: f"{CLUSTER}.other"})
    told = reported(resource(PROVISIONED), observation(cache=other))
    assert said(told, ConditionType.STALLED) == ("True", "OwnedByAnother")
    assert said(told, ConditionType.READY) == ("False", "OwnedByAnother")


@pytest.mark.parametrize("spec", [PROVISIONED, {**PROVISIONED, **VALIDATE}])
def test_an_existing_cache_waits_for_its_adoption(spec: dict[str, Any]) -> None:
    drifted = cache(plaintext_open=True)
    told = reported(resource(spec), observation(cache=drifted))
    assert said(told, ConditionType.READY) == ("False", "AdoptionRequired")
    assert said(told, ConditionType.DRIFT_DETECTED) == ("True", "AdoptionRequired")
    assert said(told, ConditionType.STALLED) == ("True", "AdoptionRequired")
    assert [(one.kind, one.reason) for one in told.events if one.note.startswith("Ready")] == [
        ("Warning", "AdoptionRequired")
    ]


def test_adoption_is_required_even_without_drift() -> None:
    told = reported(resource(PROVISIONED), observation())
    assert said(told, ConditionType.DRIFT_DETECTED) == ("False", "AdoptionRequired")


def test_a_correction_that_azure_refused_is_reported() -> None:
    drift = [{"path": "transport.nonTLSPort", "declared": "x", "observed": "y", "class": "Security"}]
    res = resource({**PROVISIONED, "drift": {"correct": ["Security"]}}, status={"drift": drift})
    obs = observation(cache=cache(tags=OWNER, plaintext_open=True))
    (action,) = planned(res, obs).actions
    told = reported(res, obs, (Failed(action, WriteFailure(Reason.AZURE_DENIED, "no right to write")),))
    assert said(told, ConditionType.DRIFT_DETECTED) == ("True", "AzureDenied")
    assert told.failed


@pytest.mark.parametrize("reason", [Reason.NOT_GRANTED, Reason.CONSENT_MISSING, Reason.AZURE_DENIED])
def test_a_problem_for_a_human_is_not_hidden_by_an_outage(reason: Reason) -> None:
    res = resource(VALIDATE, status=settled(VALIDATE))
    told = reported(res, observation(identity=Unknown(reason, "no"), cache=DOWN, secret=published(res, observation())))
    assert said(told, ConditionType.READY) == ("Unknown", reason)


def test_missing_consent_is_checked_again_soon_and_does_not_back_off() -> None:
    told = reported(resource(VALIDATE), observation(identity=Unknown(Reason.CONSENT_MISSING, "no consent")))
    assert not told.failed
    assert told.next_pass_in <= 15


def test_the_binding_names_the_published_secret_whatever_became_of_the_former_one() -> None:
    before = settled(VALIDATE)
    res = resource({**VALIDATE, "connection": {"secretName": "other"}}, status=before)
    obs = observation(former_secrets=(published(resource(VALIDATE), observation()),))
    create, release = planned(res, obs).actions
    told = reported(res, obs, (Done(create), Failed(release, WriteFailure(Reason.UNKNOWN, "no answer"))))
    assert told.status.binding is not None
    assert told.status.binding.name == "other"


def test_without_authentication_the_status_names_no_secret_and_no_version() -> None:
    res = resource({}, status=settled(VALIDATE))
    assert res.status.binding is not None
    assert res.status.credential is not None
    status = reported(res, observation(vault=NOT_READ, secret=published(resource(VALIDATE), observation()))).status
    assert status.binding is None
    assert status.credential is None


def test_a_pause_that_keeps_a_cache_from_being_created_is_named_once() -> None:
    res = resource(PROVISIONED, annotations={names.PAUSED: "true"})
    told = reported(res, observation(cache=CacheAbsent(confirmed=True, message="no such cache")))
    ready = told.status.condition(ConditionType.READY)
    assert ready is not None
    assert ready.reason == "Paused"
    assert ready.message.count("nothing is written") == 1


def test_since_is_kept_while_a_field_differs() -> None:
    first = reported(resource(), observation(cache=cache(plaintext_open=True))).status
    status = first.document()
    status["drift"][0]["since"] = "2026-01-01T00:00:00Z"
    again = reported(resource(status=status), observation(cache=cache(plaintext_open=True))).status
    assert again.drift[0].since == "2026-01-01T00:00:00Z"


def test_transition_time_moves_only_when_the_status_flips() -> None:
    status = settled(VALIDATE)
    for condition in status["conditions"]:
        condition["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    told = reported(resource(VALIDATE, status=status), observation(cache=cache(plaintext_open=True)))
    times = {c.type: c.last_transition_time for c in told.status.conditions}
    assert times["Ready"] == "2026-01-01T00:00:00Z"
    assert times["TransportSecured"] == "2026-11-24T12:00:00Z"


def test_retry_after_is_passed_on() -> None:
    throttled = Unknown(Reason.AZURE_THROTTLED, "slow down", retry_after=77)
    told = reported(resource(VALIDATE), observation(cache=throttled))
    assert told.retry_after == 77
    assert told.failed


def test_a_refresh_is_recorded_as_handled_and_requested_by_a_new_value() -> None:
    first = resource(VALIDATE)
    assert not first.refresh_requested
    status = reported(first, observation()).status.document()
    asked = resource(VALIDATE, annotations={names.REFRESH: "now-1"}, status=status)
    assert asked.refresh_requested
    told = reported(asked, observation())
    assert told.status.last_handled is not None
    assert told.status.last_handled.refresh == "now-1"
    assert not resource(VALIDATE, annotations={names.REFRESH: "now-1"}, status=told.status.document()).refresh_requested


def test_progress_is_reported_once_and_does_not_warn() -> None:
    res = resource(PROVISIONED, status=INTENT)
    told = reported(res, observation(cache=CacheAbsent(confirmed=False, message="no such cache")))
    assert [(event.kind, event.reason) for event in told.events] == [("Normal", "CreateIntended")]


def test_refresh_present_at_creation_counts_as_handled() -> None:
    assert not resource(VALIDATE, annotations={names.REFRESH: "x"}).refresh_requested


def test_huge_refresh_value_fits_the_status() -> None:
    told = reported(resource(VALIDATE, annotations={names.REFRESH: "x" * 5000}), observation())
    assert told.status.last_handled is not None
    assert len(told.status.last_handled.refresh or "") <= 1024


def test_paused_is_reported_and_keeps_known_values() -> None:
    res = resource(VALIDATE, annotations={names.PAUSED: "true"}, status={**settled(VALIDATE), **INTENT})
    told = reported(res, observation(secret=published(res, observation())))
    assert told.status.pending is not None
    assert said(told, ConditionType.READY) == ("True", "Paused")
    assert told.status.condition(ConditionType.READY).message.count("paused by") == 1  # type: ignore[union-attr]


def test_paused_does_not_hide_a_lost_secret() -> None:
    res = resource(VALIDATE, annotations={names.PAUSED: "true"}, status=settled(VALIDATE))
    told = reported(res, observation())
    assert said(told, ConditionType.READY) == ("False", "Paused")
    assert said(told, ConditionType.CREDENTIALS_SYNCED) == ("False", "Paused")


def test_an_unreadable_spec_is_stalled_and_keeps_the_other_fields() -> None:
    body = {
        "metadata": {"namespace": "shop", "name": "orders", "uid": "u", "generation": 4, "resourceVersion": "1"},
        "spec": {"resourceID": "/nonsense"},
        "status": settled(VALIDATE),
    }
    parsed = parse(body)
    assert isinstance(parsed, Unreadable)
    status = unreadable(parsed, NOW)
    assert isinstance(status, Status)
    stalled = status.condition(ConditionType.STALLED)
    assert stalled is not None
    assert stalled.reason == "InvalidResourceID"
    assert status.cache is not None


def test_completed_actions_do_not_hide_a_bad_observation() -> None:
    res = resource(VALIDATE, finalizer=False)
    plan = planned(res, observation(vault=DOWN))
    told = reported(res, observation(vault=DOWN), tuple(Done(action) for action in plan.actions))
    assert said(told, ConditionType.READY) == ("Unknown", "AzureUnreachable")


def test_columns_show_counts() -> None:
    unsafe = cache(plaintext_open=True, minimum_tls_version="1.0", public_network_access="Enabled")
    found = reported(resource(), observation(cache=unsafe)).status
    assert found.drift_count == len(found.drift) > 1
    assert found.compliance is not None
    failed = [one.severity for one in found.compliance.findings if one.result == "Fail"]
    unknown = [one for one in found.compliance.findings if one.result == "Unknown" and one.severity != "Info"]
    expected = [f"{failed.count(name)}{name[0]}" for name in ("Critical", "High", "Medium", "Low") if name in failed]
    assert found.compliance.summary == " ".join([*expected, f"{len(unknown)}?"])
    assert reported(resource(status=found.document()), observation(cache=DOWN)).status.drift_count == found.drift_count
