"""Of a resource's body only what the operator reads is held, whatever its author added."""

import json
from typing import Any

from secure_redis.api import names
from secure_redis.api.resource import parse
from secure_redis.kube.resource_bodies import (
    LARGEST,
    MOST_FINALIZERS,
    is_partial,
    lean,
    packed,
    partial,
    secret_names,
    unpacked,
)

MANY = {f"example.com/l{number:05}": "x" * 60 for number in range(10_000)}


def resource(spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **metadata: Any) -> Any:
    meta = {"name": "orders", "namespace": "shop", "uid": "u", "resourceVersion": "5", "generation": 3}
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {**meta, "creationTimestamp": "2026-11-24T00:00:00Z", **metadata},
        "spec": {"resourceID": "/x", **(spec or {})},
        "status": status or {},
    }


def length(body: Any) -> int:
    return len(json.dumps(body))


def test_what_passes_read_is_kept() -> None:
    own = dict.fromkeys((*names.REQUESTS, names.OPERATOR, names.SECRETS), "value")
    body = resource(
        annotations={**own, "kubectl.kubernetes.io/last-applied-configuration": "{}"},
        finalizers=["a", names.FINALIZER],
        labels={"app": "x"},
        managedFields=[{"manager": "kubectl"}],
        deletionTimestamp="2026-11-24T00:00:00Z",
    )
    short = lean(body)
    assert short["metadata"]["annotations"] == own
    assert not {"managedFields", "labels"} & short["metadata"].keys()
    assert parse(short) == parse(body)
    content = packed(short)
    assert content is not None
    assert unpacked(content) == short


def test_whatever_an_author_adds_to_the_metadata_costs_nothing() -> None:
    ours = {name.replace("example.com", names.GROUP): value for name, value in MANY.items()}
    body = resource(
        labels={**MANY, **ours},
        annotations={**MANY, **ours, names.REFRESH: "r" * 200_000},
        finalizers=[*MANY, names.FINALIZER],
        ownerReferences=[{"uid": name} for name in MANY],
        managedFields=[{"manager": "m", "fieldsV1": MANY}],
    )
    assert length(body) > 4_000_000
    short = lean(body)
    assert length(short) < LARGEST // 2
    assert short["metadata"]["finalizers"][-1] == names.FINALIZER
    assert len(short["metadata"]["finalizers"]) == MOST_FINALIZERS + 1
    assert short["metadata"]["annotations"][names.REFRESH].startswith("rrr")
    assert packed(short) is not None


def test_of_an_annotation_that_is_not_known_only_the_name_counts() -> None:
    unknown = f"{names.GROUP}/future"
    kept = lean(resource(annotations={unknown: "x" * 200_000}))["metadata"]["annotations"]
    assert kept == {unknown: "x" * 64}


def test_a_large_spec_or_status_is_not_held() -> None:
    large = {
        "identity": {"serviceAccountName": "orders"},
        "connection": {"secretName": "elsewhere"},
        "waivers": ["w" * 500] * 1000,
    }
    for body in (resource(spec=large), resource(status={"binding": {"name": "b"}, "drift": ["d" * 500] * 1000})):
        assert packed(lean(body)) is None
        short = partial(body)
        assert is_partial(short)
        assert length(short) < 4096
        assert packed(short) is None, "parts are missing, so it is read for the pass"
        assert secret_names(short) == secret_names(body)
    assert partial(resource(spec=large))["spec"]["identity"] == large["identity"]
    assert partial(resource()) == lean(resource())
    assert not is_partial(partial(resource()))


def test_the_names_of_its_secrets() -> None:
    assert secret_names(resource()) == {"orders"}
    recorded = resource(
        {"connection": {"secretName": "x"}}, {"binding": {"name": "y"}}, annotations={names.SECRETS: "a, b,"}
    )
    assert secret_names(recorded) == {"x", "y", "a", "b"}
    assert len(secret_names(resource(annotations={names.SECRETS: ",".join(map(str, range(9999)))}))) == 51
