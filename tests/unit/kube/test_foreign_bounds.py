"""What is kept of workloads, ServiceAccounts and ConfigMaps is bounded, and a cut never changes a name."""

from typing import Any

import pytest

from secure_redis.api import names
from secure_redis.api.resource import Key
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.observe.usage import ConfigFacts
from secure_redis.kube import service_accounts
from secure_redis.kube.workloads import config_maps, convert, injections
from secure_redis.kube.workloads.injections import Injections

LONG = ",".join(f"resource-{number:05}" for number in range(10_000))


def deployment(env: int = 0, **metadata: Any) -> dict[str, Any]:
    entries = [{"name": f"E{number}", "value": "v"} for number in range(env)]
    pod = {"containers": [{"name": "c", "env": entries}]}
    template = {"metadata": {"annotations": {"example.com/a": "x", "orders.secureredis.io/version": "1"}}, "spec": pod}
    meta = {"name": "d", "namespace": "shop", "uid": "u", "resourceVersion": "1", "generation": 1, **metadata}
    return {"kind": "Deployment", "metadata": meta, "spec": {"template": template}}


def test_annotations_of_others_are_not_kept() -> None:
    given = {"example.com/large": "x" * 200_000, names.RESOURCES: "orders,sessions"}
    found = convert.workload(deployment(annotations=given), "orders")
    assert found.annotations == {names.RESOURCES: "orders,sessions"}
    assert found.template_annotations == {"orders.secureredis.io/version": "1"}
    assert convert.workload(deployment(), "orders").annotations == {}


def test_a_list_of_names_is_cut_between_two_names() -> None:
    kept = convert.workload(deployment(annotations={names.RESOURCES: LONG}), "orders").annotations[names.RESOURCES]
    assert len(kept) <= 32 * 1024
    assert set(kept.split(",")) < set(LONG.split(","))
    account = {"metadata": {"name": "a", "uid": "u", "annotations": {names.ALLOW: LONG, names.CLIENT_ID: "c" * 9999}}}
    facts = service_accounts.facts(account)
    assert set(facts.allow) < set(LONG.split(","))
    assert len(facts.client_id or "") < 1000
    assert facts.tenant_id is None


def test_a_workload_wakes_few_resources() -> None:
    assert len(convert.resources_named({"annotations": {names.RESOURCES: LONG}})) == convert.MOST_RESOURCES
    assert convert.resources_named({"annotations": {names.RESOURCES: " orders, ,sessions"}}) == {"orders", "sessions"}
    assert convert.resources_named({}) == frozenset()


def test_the_parts_of_a_workload_are_counted() -> None:
    labels = {f"l{number}": "x" for number in range(7)}
    assert convert.parts(convert.workload(deployment(env=500, labels=labels), "orders")) == 500 + 7 + 1


@pytest.mark.parametrize(
    "change",
    [{"generation": 2}, {"labels": {"a": "b"}}, {"deletionTimestamp": "2026-11-24T00:00:00Z"}],
)
def test_progress_differs_where_a_pass_is_due(change: dict[str, Any]) -> None:
    before = convert.progress(deployment())
    assert convert.progress(deployment(**change)) != before
    assert convert.progress(deployment(resourceVersion="2", annotations={"a": "b"})) == before


def test_forged_field_managers_are_bounded_and_never_hide_an_injection_of_the_operator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(injections, "MOST_PLACES", 10)
    found = Injections()
    for number in range(100):
        found.add("shop", ("Deployment", "hostile"), [names.field_manager(f"r{number}")])
    found.add("shop", ("Deployment", "mine"), [names.field_manager("orders")])
    assert found.of(Key("shop", "orders")) == frozenset()
    found.add("shop", ("Deployment", "mine"), [names.field_manager("orders")], own=True)
    found.add("other", ("Deployment", "d"), [names.field_manager("orders")])
    assert found.of(Key("shop", "orders")) == {("Deployment", "mine")}
    assert found.of(Key("other", "orders")) == {("Deployment", "d")}
    kept = [number for number in range(100) if found.of(Key("shop", f"r{number}"))]
    assert len(kept) == 10
    found.remove(Key("shop", "r0"), ("Deployment", "hostile"))
    found.remove(Key("shop", "orders"), ("Deployment", "mine"))
    found.add("shop", ("Deployment", "late"), [names.field_manager("late")])
    assert found.of(Key("shop", "late")) == {("Deployment", "late")}, "what is gone makes room"


def test_a_config_map_of_many_entries_is_unknown() -> None:
    def answer(count: int) -> ConfigFacts | Unknown:
        return config_maps.facts({"metadata": {"name": "c"}, "data": {f"k{number}": "v" for number in range(count)}})

    assert isinstance(answer(config_maps.MOST_ENTRIES), ConfigFacts)
    found = answer(config_maps.MOST_ENTRIES + 1)
    assert isinstance(found, Unknown)
    assert "'c'" in found.message
