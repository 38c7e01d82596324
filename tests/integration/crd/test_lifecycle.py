"""The API server's treatment of an existing object: defaults, updates, ratcheting, columns, documentation."""

import copy
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from sandbox.api import Api, Document, path_of
from sandbox.cluster import Cluster
from sandbox.toolchain import kubectl
from sandbox.waiting import PATIENCE, wait_for
from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache, parse
from tests.integration.crd.test_structure import CRD, SCHEMA

RESOURCE_ID = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop/providers/Microsoft.Cache/redis/orders"
)
KEY_VAULT = {"uri": "https://shop.vault.azure.net", "secretName": "orders-redis-key"}
PROVISION = {"location": "westeurope", "redis": {"sku": {"name": "Standard", "capacity": 1}}}


def cache(name: str, **spec: Any) -> Document:
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"resourceID": RESOURCE_ID, **spec},
    }


@pytest.fixture
def made(api: Api, request: pytest.FixtureRequest) -> Iterator[Document]:
    """A minimal object, there for one test."""
    document = cache("lifecycle-" + str(abs(hash(request.node.nodeid)) % 10**10))
    yield api.create(document).must()
    api.delete(document)


def test_defaults_are_the_safe_ones(api: Api) -> None:
    spec = api.create(cache("defaults", authentication={"keyVault": KEY_VAULT}), dry_run=True).must()["spec"]
    assert spec == {
        "resourceID": RESOURCE_ID,
        "mode": "Validate",
        "transport": {"minimumTLSVersion": "1.2", "probe": "Enabled"},
        "network": {"publicAccess": "Disabled"},
        "authentication": {
            "keyVault": {**KEY_VAULT, "access": "Read"},
            "rotation": {
                "otherConsumers": "Possible",
                "minimumOverlapHours": 48,
                "maxConcurrentWorkloads": 1,
                "deadlineMinutes": 30,
            },
        },
        "connection": {"database": 0, "deletionPolicy": "Retain", "formats": ["Standard"], "publish": "Always"},
        "drift": {"correct": [], "ignore": []},
        "deletionPolicy": "Retain",
    }


def test_undeclared_fields_stay_absent(api: Api) -> None:
    spec = api.create(cache("absent"), dry_run=True).must()["spec"]
    assert "authentication" not in spec
    assert "firewallRules" not in spec["network"]


def test_the_code_reads_what_the_schema_stores(api: Api, made: Document) -> None:
    parsed = parse(api.get(path_of(made)).must())
    assert isinstance(parsed, SecureRedisCache)
    assert parsed.spec.network.public_access == "Disabled"
    assert parsed.spec.drift.interval_seconds == 300
    assert parsed.cache.name == "orders"


def test_a_new_object_waits_for_the_operator(api: Api, made: Document) -> None:
    status = api.get(path_of(made)).must()["status"]
    assert status == SCHEMA["properties"]["status"]["default"]


def test_status_cannot_be_set_by_the_author(api: Api, made: Document) -> None:
    api.merge(made, {"status": {"binding": {"name": "stolen"}}}).must()
    assert "binding" not in api.get(path_of(made)).must()["status"]


def test_the_whole_status_is_accepted(api: Api, made: Document) -> None:
    at = "2026-11-24T11:00:00Z"
    condition = {"type": "Ready", "status": "True", "reason": "Ready", "message": "x", "observedGeneration": 1}
    status = {
        "observedGeneration": 1,
        "conditions": [{**condition, "lastTransitionTime": at}],
        "binding": {"name": "orders"},
        "cache": {
            "hostName": "orders.redis.cache.windows.net",
            "port": 6380,
            "service": "Redis",
            "sku": "Standard C1",
            "provisioningState": "Succeeded",
            "redisVersion": "6.0",
            "ownership": "Owned",
            "retiresOn": "2028-09-30",
        },
        "endpoint": {
            "addresses": [{"address": "10.0.0.4", "scope": "Private"}],
            "tlsVersions": ["1.2", "1.3"],
            "chain": {"verified": False, "message": "self-signed certificate"},
            "name": {"verified": True},
            "certificate": {"issuer": "Microsoft", "notAfter": at},
            "nonTLSPort": "NotAnswering",
            "unknown": [{"parts": ["TLS 1.0"], "reason": "NoRoute", "message": "x"}],
        },
        "compliance": {
            "passed": 1,
            "failed": {"critical": 0, "high": 1, "medium": 0, "low": 0},
            "advice": 1,
            "threshold": "Medium",
            "unknown": 1,
            "waived": 1,
            "findings": [
                {"rule": "T1", "result": "Fail", "severity": "High", "message": "x"},
                {"rule": "R1", "result": "Waived", "severity": "Medium", "message": "x"},
            ],
            "notes": ["x"],
        },
        "drift": [
            {
                "path": "network.publicAccess",
                "declared": "Disabled",
                "observed": "Enabled",
                "class": "Security",
                "since": at,
            }
        ],
        "credential": {"slot": "Primary", "keyVaultVersion": "a" * 32, "publishedAt": at, "expiresAt": at},
        "rotation": {
            "phase": "RollingOut",
            "target": "Secondary",
            "request": "emergency-1",
            "startedAt": at,
            "recordedAt": at,
            "completedAt": at,
            "dueAt": at,
            "slot": "Primary",
            "reason": "HoldersBehind",
            "message": "x",
            "holders": {"count": 11, "names": [f"pod-{number}" for number in range(10)]},
        },
        "pending": {"action": "Create", "recordedAt": at, "detail": "x"},
        "lastHandled": {"refresh": "1", "rotate": "1"},
    }
    assert api.merge(made, {"status": status}, "status").must()["status"] == status
    bumped = api.get(path_of(made)).must()
    assert bumped["metadata"]["generation"] == 1, "a status write must not raise the generation"


BOUND = {
    "cache": {"provisioningState": "Succeeded"},
    "pending": {"action": "CreateCache", "recordedAt": "2026-11-24T10:00:00Z"},
    "binding": {"name": "orders"},
    "rotation": {"phase": "Scheduled"},
}


@pytest.mark.parametrize("part", BOUND)
def test_resource_id_stays_once_something_was_observed_or_recorded(api: Api, made: Document, part: str) -> None:
    api.merge(made, {"status": {part: BOUND[part]}}, "status").must()
    answer = api.merge(made, {"spec": {"resourceID": RESOURCE_ID.replace("orders", "other")}})
    assert answer.status == 422
    assert (
        "spec.resourceID: Forbidden: resourceID cannot be changed after the operator observed a cache there"
        in answer.message
    )
    api.merge(made, {"spec": {"drift": {"intervalSeconds": 60}}}).must()


def test_resource_id_can_be_corrected_while_nothing_was_observed(api: Api, made: Document) -> None:
    """The default status, and that of a resource whose cache was not found, keep a typing error correctable."""
    other = RESOURCE_ID.replace("orders", "other")
    api.merge(made, {"spec": {"resourceID": other}}).must()
    conditions = [{"type": "Ready", "status": "False", "reason": "CacheNotFound", "message": "x"}]
    at = {"lastTransitionTime": "2026-11-24T10:00:00Z", "observedGeneration": 2}
    api.merge(made, {"status": {"conditions": [{**conditions[0], **at}]}}, "status").must()
    api.merge(made, {"spec": {"resourceID": RESOURCE_ID}}).must()


def test_no_write_of_the_status_is_a_way_to_another_resource_id(api: Api, made: Document) -> None:
    """A write of the status keeps the spec, so that no one clears status.cache and changes the id in one write."""
    api.merge(made, {"status": {"cache": BOUND["cache"]}}, "status").must()
    other = {"spec": {"resourceID": RESOURCE_ID.replace("orders", "other")}, "status": {"cache": None}}
    assert api.merge(made, other).status == 422
    api.merge(made, other, "status").must()
    assert api.get(path_of(made)).must()["spec"]["resourceID"] == RESOURCE_ID


def test_resource_id_cannot_be_removed(api: Api, made: Document) -> None:
    answer = api.merge(made, {"spec": {"resourceID": None}})
    assert answer.status == 422
    assert "spec.resourceID: Required value" in answer.message


def test_mode_can_change_both_ways(api: Api, made: Document) -> None:
    api.merge(made, {"spec": {"mode": "Provision", "provision": PROVISION}}).must()
    api.merge(made, {"spec": {"mode": "Validate", "provision": None}}).must()


def test_leaving_provision_takes_its_powers_along(api: Api, made: Document) -> None:
    asked = {
        "mode": "Provision",
        "provision": PROVISION,
        "deletionPolicy": "Delete",
        "drift": {"correct": ["Security"]},
    }
    api.merge(made, {"spec": asked}).must()
    answer = api.merge(made, {"spec": {"mode": "Validate", "provision": None}})
    assert answer.status == 422
    assert "deletionPolicy Delete is only allowed with mode Provision" in answer.message
    assert "drift.correct is only allowed with mode Provision" in answer.message


def test_applying_twice_changes_nothing(api: Api, made: Document) -> None:
    declared = cache(made["metadata"]["name"])
    first = api.apply(declared).must()["metadata"]["resourceVersion"]
    assert api.apply(declared).must()["metadata"]["resourceVersion"] == first


def test_an_old_object_that_a_newer_schema_refuses_can_still_be_edited(api: Api) -> None:
    """Ratcheting: what was stored before the schema was tightened blocks neither finalizers nor other fields."""
    old = copy.deepcopy(CRD)
    old["metadata"]["name"] = "ratchetcaches.ratchet.secureredis.test"
    old["spec"]["group"] = "ratchet.secureredis.test"
    old["spec"]["names"] = {"kind": "RatchetCache", "plural": "ratchetcaches"}
    new = copy.deepcopy(old)
    schema = old["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    del schema["identity"]["properties"]["serviceAccountName"]["x-kubernetes-validations"]
    document = cache("old", identity={"serviceAccountName": "Not/Legal"})
    document |= {"apiVersion": "ratchet.secureredis.test/v1alpha1", "kind": "RatchetCache"}
    try:
        api.apply(old).must()
        served(api, old)
        api.create(document).must()
        api.apply(new).must()
        wait_until_refused(api, {**document, "metadata": {"name": "new", "namespace": "default"}})
        api.merge(document, {"metadata": {"finalizers": ["secureredis.test/x"]}}).must()
        api.merge(document, {"spec": {"drift": {"intervalSeconds": 60}}}).must()
        api.merge(document, {"metadata": {"finalizers": None}}).must()
    finally:
        api.delete(old)


def served(api: Api, crd: Document) -> None:
    """Wait until the API server serves the kind of a CRD."""
    spec = crd["spec"]
    path = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
    wait_for(lambda: api.get(path).ok, PATIENCE, f"{path} to be served")


def wait_until_refused(api: Api, document: Document) -> None:
    """Wait until the API server judges by the schema that refuses `document`."""
    wait_for(lambda: api.create(document, dry_run=True).status == 422, PATIENCE, "the tightened schema to be in force")


def columns(api: Api, document: Document) -> dict[str, Any]:
    """The values that `kubectl get -o wide` shows of an object, by column."""
    table = api.call("GET", path_of(document), accept="application/json;as=Table;v=v1;g=meta.k8s.io").must()
    names_of_columns = [column["name"] for column in table["columnDefinitions"]]
    return dict(zip(names_of_columns, table["rows"][0]["cells"], strict=True))


def test_columns_before_the_first_pass(api: Api, made: Document) -> None:
    shown = columns(api, made)
    assert list(shown)[:6] == ["Name", "Ready", "Reason", "Secure", "Drift", "Secret"]
    assert list(shown)[-1] == "Age"
    assert (shown["Ready"], shown["Reason"], shown["Mode"]) == ("Unknown", "Pending", "Validate")


def test_columns_answer_at_a_glance(api: Api, made: Document) -> None:
    at = "2026-11-24T11:00:00Z"
    told = {"Ready": "True", "TransportSecured": "False", "DriftDetected": "True"}
    common = {"reason": "X", "message": "x", "lastTransitionTime": at}
    entry = {"declared": "a", "observed": "b", "class": "Security"}
    status = {
        "conditions": [{"type": kind, "status": said, **common} for kind, said in told.items()],
        "cache": {"hostName": "orders.redis.sandbox.test", "sku": "Standard C1", "provisioningState": "Succeeded"},
        "drift": [{"path": "network.publicAccess", **entry}, {"path": "transport.nonTLSPort", **entry}],
        "driftCount": 2,
        "compliance": {"summary": "1C 2H 3?"},
        "credential": {"slot": "Primary", "keyVaultVersion": "a" * 32},
        "binding": {"name": "orders"},
    }
    api.merge(made, {"status": status}, "status").must()
    shown = columns(api, made)
    assert (shown["Ready"], shown["Secure"], shown["Drift"]) == ("True", "False", "True")
    assert (shown["Host"], shown["Key"], shown["Secret"]) == ("orders.redis.sandbox.test", "Primary", "orders")
    assert (shown["SKU"], shown["Reason"]) == ("Standard C1", "X")
    assert (shown["Drifted"], shown["Findings"]) == (2, "1C 2H 3?")


def test_the_rotation_is_shown_with_the_pods_that_are_behind(api: Api, made: Document) -> None:
    status = {"rotation": {"phase": "RollingOut"}, "stalePods": {"count": 3, "names": ["a-1", "a-2", "cron-1"]}}
    api.merge(made, {"status": status}, "status").must()
    shown = columns(api, made)
    assert shown["Rotation"] == "RollingOut"
    assert shown["Stale pods"] == 3


@pytest.mark.parametrize("field", CRD["spec"]["versions"][0]["selectableFields"], ids=lambda field: field["jsonPath"])
def test_fields_can_be_selected(api: Api, made: Document, field: dict[str, str]) -> None:
    path = path_of(made).rsplit("/", 1)[0]
    query = {"fieldSelector": f"{field['jsonPath'][1:]}=nothing-has-this-value"}
    assert api.call("GET", path, query=query).must()["items"] == []


def test_documentation_reaches_the_client(api: Api) -> None:
    """`kubectl explain` prints what this document says."""
    root = api.get(f"/openapi/v3/apis/{names.API_VERSION}").must()
    (schema,) = [one for name, one in root["components"]["schemas"].items() if name.endswith(f".{names.KIND}")]
    for member in ("spec", "status"):
        assert described(schema["properties"][member], member) == []


def described(schema: Document, path: str) -> list[str]:
    bare = [] if schema.get("description") else [path]
    for name, child in schema.get("properties", {}).items():
        bare += described(child, f"{path}.{name}")
    items = schema.get("items", {})
    return bare + (described(items, f"{path}[]") if "properties" in items else [])


def test_the_static_cost_of_the_rules_is_accepted(api: Api) -> None:
    stored = api.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD['metadata']['name']}").must()
    conditions = {condition["type"]: condition["status"] for condition in stored["status"]["conditions"]}
    assert conditions["Established"] == "True"
    assert conditions.get("NonStructuralSchema", "False") == "False"
    assert yaml.safe_dump(stored["spec"]["versions"][0]["schema"]) == yaml.safe_dump(
        CRD["spec"]["versions"][0]["schema"]
    )


def test_kubectl_explain_prints_it(control_plane: Cluster, crd_installed: None) -> None:
    field = "srcache.spec.authentication.keyVault.version"
    command = [str(kubectl()), f"--kubeconfig={control_plane.kubeconfig}", "explain", field]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "Pins one version of the secret" in " ".join(printed.split())
