"""The served schema against what the operator writes: a CRD that lacks a field is found by that field's name."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from secure_redis.api import names
from secure_redis.kube.crd_schema import missing_fields

CRD = Path(__file__).parents[3] / "crds/secureredis.io_securerediscaches.yaml"


class Served:
    """An API server's OpenAPI document of a CRD, where a `KubeClient` is expected."""

    def __init__(self, status: dict[str, Any] | None) -> None:
        self._status = status

    async def get(self, path: str) -> dict[str, Any]:
        assert path == "/openapi/v3/apis/secureredis.io/v1alpha1"
        kind = {"group": names.GROUP, "kind": names.KIND, "version": names.VERSION}
        properties = {} if self._status is None else {"status": self._status}
        ours = {"properties": properties, "x-kubernetes-group-version-kind": [kind]}
        return {"components": {"schemas": {"io.k8s.meta.Status": {"properties": {"status": {}}}, "ours": ours}}}


@pytest.fixture(scope="module")
def shipped() -> dict[str, Any]:
    versions = yaml.safe_load(CRD.read_text())["spec"]["versions"]
    (schema,) = [one["schema"]["openAPIV3Schema"] for one in versions if one["name"] == names.VERSION]
    status: dict[str, Any] = schema["properties"]["status"]
    return status


async def missing(status: dict[str, Any] | None) -> tuple[str, ...]:
    return await missing_fields(Served(status))  # type: ignore[arg-type]


async def test_the_shipped_crd_knows_every_field(shipped: dict[str, Any]) -> None:
    assert await missing(shipped) == ()


def without_passes(status: dict[str, Any]) -> None:
    del status["properties"]["compliance"]["properties"]["passedRules"]


def without_endpoint(status: dict[str, Any]) -> None:
    del status["properties"]["endpoint"]


def without_uid(status: dict[str, Any]) -> None:
    del status["properties"]["workloads"]["items"]["properties"]["uid"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (without_passes, "status.compliance.passedRules"),
        (without_endpoint, "status.endpoint"),
        (without_uid, "status.workloads.uid"),
    ],
)
async def test_an_older_one_is_found(
    shipped: dict[str, Any], change: Callable[[dict[str, Any]], None], field: str
) -> None:
    older = copy.deepcopy(shipped)
    change(older)
    assert await missing(older) == (field,)


async def test_a_newer_one_and_one_that_keeps_everything_are_none(shipped: dict[str, Any]) -> None:
    newer = copy.deepcopy(shipped)
    newer["properties"]["later"] = {"type": "string"}
    assert await missing(newer) == ()
    assert await missing({"type": "object", "x-kubernetes-preserve-unknown-fields": True}) == ()


async def test_without_a_status_there_is_nothing_it_knows() -> None:
    assert await missing(None) == ("status",)


def paths_of(schema: dict[str, Any], at: str = "status") -> Iterator[tuple[str, dict[str, Any], str]]:
    """Every field of a schema, with the mapping that holds it and its name there."""
    inner = schema.get("items", schema).get("properties") or {}
    for name, field in inner.items():
        yield f"{at}.{name}", inner, name
        yield from paths_of(field, f"{at}.{name}")


async def test_each_single_field_is_missed(shipped: dict[str, Any]) -> None:
    whole = copy.deepcopy(shipped)
    every = list(paths_of(whole))
    assert {path.count(".") for path, _, _ in every} >= {1, 2, 3}
    for path, holder, name in every:
        field = holder.pop(name)
        assert await missing(whole) == (path,)
        holder[name] = field
