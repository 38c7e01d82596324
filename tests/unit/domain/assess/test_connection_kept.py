"""Entries stay in the Secret while a pod that starts again would miss them."""

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.times import rfc3339
from secure_redis.domain.assess import connection_secret
from secure_redis.domain.assess.connection.kept import kept
from secure_redis.domain.assess.connection_secret import ConnectionData, differs
from secure_redis.domain.assess.key import assess_credential
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from secure_redis.domain.observe.workloads import ContainerFacts, EnvFacts, WorkloadFacts
from tests.builders.world import NOW, PRIMARY, SECONDARY, built, cache, observation, published, resource, text, vault

BLIND = Unknown(Reason.NO_WORKLOAD_RIGHTS, "no right")
ENTRY: dict[str, Any] = {"id": "app", "kind": "Deployment", "name": "app"}


def of(connection: dict[str, Any] | None = None, *, listed: bool = True) -> SecureRedisCache:
    return resource({"connection": connection or {}, "workloads": [ENTRY] if listed else []})


def app(*keys: str, source: str = "orders", rolled: bool = True) -> WorkloadFacts:
    env = tuple(EnvFacts(f"V{number}", source, key) for number, key in enumerate(keys))
    return WorkloadFacts("Deployment", "app", "u", "1", containers=(ContainerFacts("main", env=env),), rolled=rolled)


def observed(before: SecureRedisCache, workloads: Any, **changes: Any) -> Observation:
    """Return the observation after the Secret was published for `before`, perhaps with another layout."""
    secret = published(built(before), **changes)
    return observation(secret=secret, workloads=workloads)


def after(now: SecureRedisCache, seen: Observation, password: str = PRIMARY) -> ConnectionData:
    data = connection_secret.build(now, cache(), SecretStr(password), vault=vault(), slot=None, in_use=kept(now, seen))
    assert isinstance(data, ConnectionData)
    return data


FORMER = of({"formats": ["Standard", "Celery"], "keys": {"PW": "password"}, "template": {"AT": "{host}:{port}"}})


@pytest.mark.parametrize("entry", ["celery", "PW", "AT"])
def test_an_entry_that_a_template_names_stays_until_it_names_it_no_more(entry: str) -> None:
    data = after(of(), observed(FORMER, (app(entry),)))
    assert set(data.data) == set(built().data) | {entry}
    # The next pass still knows how to build what the resource no longer declares, also with the next key.
    again = observation(secret=published(data), workloads=(app(entry),))
    renewed = after(of(), again, SECONDARY)
    assert set(renewed.data) == set(data.data)
    assert entry == "AT" or text(renewed, entry) != text(data, entry)
    moved = after(of(), observation(secret=published(data), workloads=(app("uri"),)))
    assert set(moved.data) == set(built().data)
    assert names.SECRET_ENTRIES not in moved.annotations


def test_another_secret_of_a_workload_keeps_nothing() -> None:
    assert set(after(of(), observed(FORMER, (app("celery", source="theirs"),))).data) == set(built().data)


@pytest.mark.parametrize("workloads", [(app("uri", rolled=False),), (app("uri"), app(rolled=False)), BLIND, NOT_READ])
def test_all_stay_while_a_rollout_is_not_complete_or_not_known(workloads: Any) -> None:
    assert set(after(of(), observed(FORMER, workloads)).data) == set(built(FORMER).data)


def test_without_workloads_the_layout_is_the_declared_one() -> None:
    assert set(after(of(listed=False), observed(FORMER, NOT_READ)).data) == set(built().data)


@pytest.mark.parametrize(
    ("found", "stays"),
    [(app("ssl"), True), (app("ssl", rolled=False), True), (app("uri", rolled=False), False), (BLIND, True)],
)
def test_ssl_of_the_former_layout_stays_only_where_it_is_named(found: WorkloadFacts | Unknown, stays: bool) -> None:
    """A Spring Boot application that does not start because of the file `ssl` never finishes its rollout."""
    former = published(built())
    layout = {**former.data, "ssl": former.data["type"], "stackexchange": former.data["type"]}
    workloads = found if isinstance(found, Unknown) else (found,)
    data = after(of(), observation(secret=replace(former, data=layout), workloads=workloads))
    assert ("ssl" in data.data) is stays
    if stays:
        assert text(data, "ssl") == "true"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "[]",
        "null",
        "{",
        '{"X": 1}',
        '{"X": "redis://{host}:{port}"}',
        '{"uri": "{password}"}',
        '{"X": "--insecure"}',
    ],
)
def test_a_changed_annotation_adds_no_other_form(value: str) -> None:
    before = published(built())
    changed = replace(
        before,
        annotations={**before.annotations, names.SECRET_ENTRIES: value},
        data={**before.data, "X": before.data["type"]},
    )
    data = after(of(), observation(secret=changed, workloads=(app("X", "uri"),)))
    assert "X" not in data.data
    assert text(data, "uri").startswith("rediss://")


def test_what_was_not_published_is_not_added() -> None:
    assert "celery" not in after(of(), observation(secret=published(built()), workloads=(app("celery"),))).data


def test_the_annotation_names_only_what_the_resource_declares() -> None:
    assert names.SECRET_ENTRIES not in built().annotations
    assert json.loads(built(FORMER).annotations[names.SECRET_ENTRIES]) == {"PW": "{password}", "AT": "{host}:{port}"}


def test_a_pass_publishes_what_is_in_use() -> None:
    """The whole step: the Secret of the former layout does not differ while a workload uses it."""
    seen = observed(FORMER, (app("celery", "PW", "AT"),))
    found = assess_credential(of(), seen, cache(), cluster_uid="c", ca=None).data
    assert found is not None
    assert differs(published(built(FORMER, records={names.SECRET_PUBLISHED: rfc3339(NOW)})), found) == ()
    without = assess_credential(of(), replace(seen, workloads=(app(),)), cache(), cluster_uid="c", ca=None).data
    assert without is not None
    assert {"data.celery", "data.PW", "data.AT"} <= set(differs(published(built(FORMER)), without))
