"""The kept parts of workloads, ServiceAccounts and ConfigMaps are bounded, and a cut never changes a name."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from secure_redis.api import names
from secure_redis.api.resource import Key
from secure_redis.api.spec.spec import LabelSelector, Workload, WorkloadKind
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.observe.usage import ConfigFacts
from secure_redis.kube import service_accounts
from secure_redis.kube.client import Listed
from secure_redis.kube.workloads import client, config_maps, convert, injections
from secure_redis.kube.workloads.client import Workloads
from secure_redis.kube.workloads.config_maps import ConfigMaps
from secure_redis.kube.workloads.injections import Injections, Target
from tests.builders.passes import resource

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
    assert convert.resources_named({"annotations": {names.RESOURCES: "," * 10_000 + "orders"}}) == frozenset()


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
    assert injections.MOST_PLACES <= 5000
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

    assert isinstance(answer(1000), ConfigFacts)
    found = answer(1001)
    assert isinstance(found, Unknown)
    assert "'c'" in found.message


class ConfigMapServer:
    """Answers with a ConfigMap of any name, and counts its requests."""

    def __init__(self) -> None:
        self.requests = 0

    async def get(self, path: str) -> dict[str, Any]:
        self.requests += 1
        return {"metadata": {"name": path.rpartition("/")[2], "resourceVersion": "1"}}


async def test_of_many_config_maps_some_are_read_and_none_is_kept_for_ever() -> None:
    server, now = ConfigMapServer(), 0.0
    maps = ConfigMaps(server, lambda: now, ttl=900.0)  # type: ignore[arg-type]
    found = await maps.read("shop", [f"c{number:03}" for number in range(150)])
    assert server.requests == 100
    assert [name for name, one in found.items() if isinstance(one, Unknown)] == [f"c{n}" for n in range(100, 150)]
    now = 1801.0
    await maps.read("shop", ["c000"])
    assert list(maps._known) == [("shop", "c000")]


class WorkloadServer:
    """Answers with one workload of 400 env entries for each list, and for each name."""

    async def get(self, _: str) -> dict[str, Any]:
        return deployment(env=400)

    async def pages(self, path: str, _: object) -> AsyncIterator[Listed]:
        kind = "Deployment" if path.endswith("deployments") else "DaemonSet"
        for page in range(2):
            body = deployment(env=400, name=f"w{page}")
            yield Listed([{**body, "kind": kind}], "1")


@pytest.mark.parametrize(
    ("kinds", "named", "most", "fits"),
    [
        ("Deployment", 0, 1000, True),
        ("Deployment", 0, 700, False),
        ("Deployment DaemonSet", 0, 1000, False),
        ("", 2, 1000, True),
        ("", 3, 1000, False),
        ("Deployment", 1, 1000, False),
    ],
)
async def test_the_parts_of_the_workloads_of_one_resource_are_bounded_together(
    monkeypatch: pytest.MonkeyPatch, kinds: str, named: int, most: int, fits: bool
) -> None:
    assert client.MOST_PARTS <= 50_000
    monkeypatch.setattr(client, "MOST_PARTS", most)
    entries = [Workload(id=kind, kind=WorkloadKind(kind), selector=LabelSelector()) for kind in kinds.split()]
    places: list[Target] = [("Deployment", f"n{number}") for number in range(named)]
    found = await Workloads(WorkloadServer()).find(resource(), entries, places)  # type: ignore[arg-type]
    assert isinstance(found, tuple) is fits
    if isinstance(found, Unknown):
        assert "List fewer workloads in spec.workloads" in found.message


async def test_a_list_with_too_many_parts_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = 0

    class Endless(WorkloadServer):
        async def pages(self, path: str, _: object) -> AsyncIterator[Listed]:
            nonlocal pages
            for pages in range(1, 101):
                yield Listed([deployment(env=400, name=f"w{pages}")], "1")

    monkeypatch.setattr(client, "MOST_PARTS", 1000)
    entry = Workload(id="w", kind=WorkloadKind.DEPLOYMENT, selector=LabelSelector())
    found = await Workloads(Endless()).find(resource(), [entry])  # type: ignore[arg-type]
    assert isinstance(found, Unknown)
    assert pages == 3


async def test_too_many_names_are_not_read_to_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0

    class Counting(WorkloadServer):
        async def get(self, _: str) -> dict[str, Any]:
            nonlocal reads
            reads += 1
            return deployment(env=400)

    monkeypatch.setattr(client, "MOST_PARTS", 1000)
    places: list[Target] = [("Deployment", f"n{number}") for number in range(20)]
    found = await Workloads(Counting()).find(resource(), [], places)  # type: ignore[arg-type]
    assert isinstance(found, Unknown)
    assert reads == 8, "those that are read side by side"
