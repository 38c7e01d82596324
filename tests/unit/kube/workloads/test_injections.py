"""Candidates for injections are collected from everything that shows them, and removed only by a read."""

from dataclasses import replace
from typing import Any

import pytest

from secure_redis.api import names
from secure_redis.api.resource import Key, SecureRedisCache
from secure_redis.api.spec.spec import WorkloadKind
from secure_redis.kube.workloads.injections import RETRY_SECONDS, Injections
from secure_redis.kube.workloads.managed_fields import managers
from tests.builders.passes import resource

ORDERS = resource()
Fields = dict[str, Any]
PLACE = ("Deployment", "web")
MANAGER = names.field_manager(ORDERS.key.name)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_candidate_stays_until_its_own_resource_finds_nothing() -> None:
    found = Injections()
    found.add(ORDERS.key.namespace, PLACE, [MANAGER, names.field_manager("sessions")])
    assert found.of(ORDERS.key) == {PLACE}
    assert found.of(Key("elsewhere", ORDERS.key.name)) == frozenset()
    found.remove(Key(ORDERS.key.namespace, "sessions"), PLACE)
    assert found.of(ORDERS.key) == {PLACE}
    found.remove(ORDERS.key, PLACE)
    found.remove(ORDERS.key, PLACE)
    assert found.of(ORDERS.key) == frozenset()


def test_a_namespace_is_searched_once_and_after_a_change_of_the_spec_where_nothing_is_watched() -> None:
    found = Injections()
    edited = _edited(2)
    assert found.due(ORDERS)
    found.searched(ORDERS)
    assert not found.due(ORDERS)
    assert not found.due(_named("sessions")), "the resources of a namespace share the search"
    assert found.due(edited)
    found.searched(edited)
    assert not found.due(edited)


def test_watches_in_step_replace_the_search_after_an_edit() -> None:
    found = Injections()
    found.searched(ORDERS)
    for kind in WorkloadKind:
        assert found.due(_edited(2))
        found.in_step(kind, None if kind is WorkloadKind.CRON_JOB else ORDERS.key.namespace)
    assert not found.due(_edited(2))
    found.out_of_step(WorkloadKind.CRON_JOB, None)
    assert found.due(_edited(2))


def test_a_refused_search_is_repeated_late() -> None:
    clock = Clock()
    found = Injections(clock)
    found.refused(ORDERS.key.namespace)
    assert not found.due(ORDERS)
    clock.now += RETRY_SECONDS
    assert found.due(ORDERS)


def test_a_resource_of_the_same_name_takes_the_candidates_over() -> None:
    found = Injections()
    found.add(ORDERS.key.namespace, PLACE, [MANAGER])
    found.forget(ORDERS.key)
    assert found.of(ORDERS.key) == {PLACE}


@pytest.mark.parametrize("kind", ["Deployment", "CronJob"])
def test_the_managers_of_a_template_are_read_from_the_metadata_alone(kind: str) -> None:
    reference: Fields = {"f:valueFrom": {"f:secretKeyRef": {}}}
    pod: Fields = {"f:spec": {"f:containers": {'k:{"name":"app"}': {"f:env": {'k:{"name":"URI"}': reference}}}}}
    note: Fields = {"f:metadata": {"f:annotations": {"f:orders.secureredis.io/version": {}}}}
    fields: list[tuple[str, Fields, str | None]] = [
        (MANAGER, pod, None),
        ("secureredis.io/b", note, None),
        ("secureredis.io/c", {}, None),
    ]
    fields += [("kubectl", pod, None), ("secureredis.io/d", pod, "status")]
    entries = [_entry(kind, *one) for one in fields]
    assert managers({"metadata": {"managedFields": entries}}, kind) == {MANAGER, "secureredis.io/b"}


def _entry(kind: str, manager: str, template: dict[str, Any], subresource: str | None) -> dict[str, Any]:
    spec: dict[str, Any] = {"f:template": template}
    if kind == "CronJob":
        spec = {"f:jobTemplate": {"f:spec": spec}}
    entry: dict[str, Any] = {"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": spec}}
    return entry | ({"subresource": subresource} if subresource else {})


def _edited(generation: int) -> SecureRedisCache:
    return replace(ORDERS, generation=generation)


def _named(name: str) -> SecureRedisCache:
    return replace(ORDERS, key=Key(ORDERS.key.namespace, name))
