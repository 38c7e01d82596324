"""A Secret is deleted only where nothing uses it; every way to have one that is not needed takes the same function."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.times import rfc3339
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from secure_redis.domain.observe.workloads import SecretUser
from secure_redis.domain.plan.actions import CreateSecret, DeleteSecret, RecordSecrets, ReleaseSecret
from secure_redis.domain.plan.secret_removal import needs_users, removable, remove
from tests.builders.passes import observation, planned, published, reported, resource
from tests.builders.workloads import ENV, injected, workload
from tests.builders.world import AUTHENTICATION, NOW

SPEC: dict[str, Any] = {"authentication": AUTHENTICATION, "connection": {"secretName": "new"}}
DELETING: dict[str, Any] = {**SPEC, "connection": {"secretName": "new", "deletionPolicy": "Delete"}}
RES = resource(DELETING)
POD = SecretUser("old", "Pod", "checkout-1", ("Deployment", "checkout"))


def secret(name: str, res: SecureRedisCache = RES, **changes: Any) -> SecretFacts:
    return published(res, observation(), **{"name": name, "uid": f"uid-{name}", **changes})


def renamed(res: SecureRedisCache = RES, **changes: Any) -> Observation:
    """The new Secret is in place, and the old one is still there."""
    return observation(secret=secret("new", res), former_secrets=(secret("old", res),), **changes)


def test_retain_releases_without_a_check() -> None:
    res = resource(SPEC)
    assert not needs_users(res, renamed(res))
    assert remove(res, renamed(res)).actions == (ReleaseSecret("old", "uid-old"),)


def test_delete_deletes_what_nothing_uses() -> None:
    found = remove(RES, renamed(secret_users=()))
    assert found.actions == (DeleteSecret("old", "uid-old"),)
    assert found.kept is None


@pytest.mark.parametrize("users", [NOT_READ, Unknown(Reason.NO_WORKLOAD_RIGHTS, "not allowed"), (POD,)])
def test_what_is_used_or_not_known_stays_and_the_plan_names_the_reason(users: Any) -> None:
    obs = renamed(secret_users=users)
    found = remove(RES, obs)
    assert found.actions == ()
    assert found.kept is not None
    assert "'old'" in found.kept.message
    todo = planned(RES, obs)
    assert not any(isinstance(action, DeleteSecret | ReleaseSecret) for action in todo.actions)
    assert todo.waiting == found.kept
    assert todo.next_pass_in == found.next_pass_in
    told = reported(RES, obs)
    assert told.status.condition("Ready").status == "True"  # type: ignore[union-attr,arg-type]
    going = resource(DELETING, deleting=True)
    todo = planned(going, replace(obs, secret=secret("new", going)))
    assert todo.waiting is not None
    assert not any(isinstance(action, DeleteSecret) and action.name == "old" for action in todo.actions)


def test_only_the_secret_that_is_used_stays() -> None:
    res = resource(DELETING, deleting=True)
    obs = renamed(res, secret_users=(POD,))
    found = remove(res, obs)
    assert found.actions == (DeleteSecret("new", "uid-new"),)


def test_the_message_names_who_uses_it_and_why_that_does_not_end_by_itself() -> None:
    paused = workload(paused=True)
    others = tuple(SecretUser("old", "Pod", f"p{i}") for i in range(4))
    kept = remove(RES, renamed(secret_users=(POD, *others), workloads=(paused,))).kept
    assert kept is not None
    assert kept.reason is Reason.SECRET_IN_USE
    assert "Pod 'checkout-1' of Deployment 'checkout': it is paused" in kept.message
    assert kept.message.endswith("and 2 more")


def test_users_are_read_only_for_a_secret_that_may_go_now() -> None:
    assert needs_users(RES, renamed())
    assert not needs_users(RES, observation(secret=secret("new"))), "nothing is to be deleted"
    assert not needs_users(RES, renamed(pods={("Deployment", "checkout"): ()})), "a rollout is ahead"
    assert not needs_users(RES, renamed(workloads=Unknown(Reason.UNKNOWN, "no answer")))
    listing = resource({**DELETING, "workloads": [ENV], "connection": {**DELETING["connection"], "secretName": "old"}})
    assert not needs_users(RES, renamed(workloads=(injected(listing, workload()),))), "it moves to the new name first"
    moved = resource({**DELETING, "workloads": [ENV]})
    assert needs_users(RES, renamed(workloads=(injected(moved, workload()),)))


@pytest.mark.parametrize(("minutes", "seconds"), [(0, 15.0), (4, 60.0), (600, 300.0)])
@pytest.mark.parametrize("deleting", [False, True])
def test_the_checks_become_rarer_while_somebody_uses_it(minutes: int, seconds: float, deleting: bool) -> None:
    at = rfc3339(NOW - timedelta(minutes=minutes))
    kind = "Ready" if deleting else "Reconciling"
    condition = {"type": kind, "status": "False", "reason": "SecretInUse", "message": "", "lastTransitionTime": at}
    res = resource(DELETING, status={"conditions": [condition]}, deleting=deleting)
    assert remove(res, renamed(secret_users=(POD,))).next_pass_in == seconds
    for change in ({"reason": "RollingOut"}, {"lastTransitionTime": "not a time"}):
        other = resource(DELETING, status={"conditions": [{**condition, **change}]}, deleting=deleting)
        assert remove(other, renamed(secret_users=(POD,))).next_pass_in == 15.0


def test_foreign_and_vanishing_secrets_are_not_removed() -> None:
    obs = observation(former_secrets=(secret("a", owner_uid="other"), secret("b", deleting=True)))
    assert removable(RES, obs) == ()


# --- the record, where Secrets may not be listed ------------------------------------------------------------------


def test_the_name_is_recorded_before_the_secret_is_created() -> None:
    obs = observation(former_secrets=(secret("old"),), secrets_listed=False, secret_users=())
    record, create = planned(RES, obs).actions[:2]
    assert record == RecordSecrets(("new", "old"))
    assert isinstance(create, CreateSecret)


def test_a_record_is_written_once_and_shrinks_with_the_secrets() -> None:
    res = resource(DELETING, annotations={"secureredis.io/secrets": "old,new"})
    assert res.recorded_secrets == ("new", "old")
    assert planned(res, renamed(res, secrets_listed=False, secret_users=(POD,))).actions == ()
    alone = observation(secret=secret("new"), secrets_listed=False)
    assert planned(res, alone).actions == (RecordSecrets(("new",)),)


def test_where_secrets_are_listed_nothing_is_recorded() -> None:
    assert planned(RES, observation(secret=secret("new"))).actions == ()
    res = resource(DELETING, annotations={"secureredis.io/secrets": "new"})
    assert planned(res, observation(secret=secret("new"))).actions == (RecordSecrets(()),)


def test_an_unknown_secret_changes_no_record() -> None:
    res = resource(DELETING, annotations={"secureredis.io/secrets": "new"})
    down = Unknown(Reason.UNKNOWN, "no answer")
    for obs in (observation(secret=down), observation(secret=secret("new"), former_secrets=down)):
        assert not any(isinstance(action, RecordSecrets) for action in planned(res, obs).actions)


def test_a_record_that_is_no_list_of_names_is_ignored() -> None:
    res = resource(SPEC, annotations={"secureredis.io/secrets": "../x, ok ,,UP, " + "a" * 300})
    assert res.recorded_secrets == ("ok",)
