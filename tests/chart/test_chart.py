"""The objects that the chart renders, and the values that it refuses."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.chart.render import ROOT, Document, Refused, pick, render
from scripts.reference.configuration import OTHER_VALUES, value_of
from secure_redis.api import names
from secure_redis.cli.config import Config, load

CRD = yaml.safe_load((ROOT / "crds/secureredis.io_securerediscaches.yaml").read_text())
OPERATOR = {"kind": "ServiceAccount", "name": "secure-redis-operator", "namespace": "secure-redis-system"}


@pytest.fixture(scope="module")
def plain() -> list[Document]:
    return render()


def kinds(documents: list[Document]) -> set[tuple[str, str]]:
    return {(doc["kind"], doc["metadata"]["name"]) for doc in documents}


def powers(role: Document) -> set[tuple[str, str, str]]:
    """Every (group, resource, verb) that a role gives."""
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_crd_is_the_one_in_crds(plain: list[Document]) -> None:
    kept = {**CRD, "metadata": {**CRD["metadata"], "annotations": {"helm.sh/resource-policy": "keep"}}}
    assert pick(plain, "CustomResourceDefinition") == kept


def test_the_crd_goes_with_the_release_where_asked_for() -> None:
    assert pick(render({"crds": {"keep": False}}), "CustomResourceDefinition") == CRD


def test_the_crd_can_be_left_to_others() -> None:
    assert "CustomResourceDefinition" not in {kind for kind, _ in kinds(render({"crds": {"enabled": False}}))}


def test_the_operator_may_do_exactly_this_everywhere(plain: list[Document]) -> None:
    assert powers(pick(plain, "ClusterRole", "secure-redis-operator")) == {
        *((names.GROUP, names.PLURAL, verb) for verb in ("get", "list", "watch", "patch")),
        (names.GROUP, f"{names.PLURAL}/status", "patch"),
        ("", "events", "create"),
        ("", "namespaces", "get"),
        ("coordination.k8s.io", "leases", "get"),
    }


def test_leases_are_limited_to_one_name(plain: list[Document]) -> None:
    for role in (plain, render({"watchNamespaces": ["shop"]})):
        cluster = pick(role, "ClusterRole", f"secure-redis-operator{'' if role is plain else '-namespaces-read'}")
        (elsewhere,) = [rule for rule in cluster["rules"] if rule["resources"] == ["leases"]]
        assert elsewhere["verbs"] == ["get"]
        assert elsewhere["resourceNames"] == ["secure-redis-operator"]
    create, rest = pick(plain, "Role", "secure-redis-operator-leader")["rules"]
    assert create["verbs"] == ["create"]
    assert rest["verbs"] == ["get", "update"]
    assert rest["resourceNames"] == ["secure-redis-operator"]


def namespace_powers(watch: str) -> set[tuple[str, str, str]]:
    return powers(pick(render({"secrets": {"watch": watch}}), "ClusterRole", "secure-redis-namespace"))


def test_a_consenting_namespace_gives_exactly_this() -> None:
    assert namespace_powers("Namespace") == {
        *(("", "secrets", verb) for verb in ("get", "list", "watch", "create", "patch", "delete")),
        ("", "serviceaccounts", "get"),
        ("", "serviceaccounts/token", "create"),
    }


def test_secrets_need_not_be_watched() -> None:
    assert namespace_powers("Namespace") - namespace_powers("None") == {
        ("", "secrets", "list"),
        ("", "secrets", "watch"),
    }


@pytest.mark.parametrize("watch", ["Namespace", "None"])
def test_a_search_of_secrets_is_switched_on_with_its_right(watch: str, tmp_path: Path) -> None:
    values = {"secrets": {"watch": watch, "searchForeign": True}}
    found = powers(pick(render(values), "ClusterRole", "secure-redis-namespace"))
    assert found == namespace_powers(watch) | {("", "secrets", "list")}
    assert configuration(values, tmp_path).compliance.foreign_secrets
    assert not configuration({}, tmp_path).compliance.foreign_secrets


def test_workloads_are_for_those_who_switch_them_on() -> None:
    documents = render({"workloads": {"enabled": True}})
    more = powers(pick(documents, "ClusterRole", "secure-redis-namespace")) - namespace_powers("Namespace")
    kinds_of = (("apps", "deployments"), ("apps", "statefulsets"), ("apps", "daemonsets"), ("batch", "cronjobs"))
    assert more == {
        *((group, plural, verb) for group, plural in kinds_of for verb in ("get", "list", "watch", "patch")),
        ("", "pods", "list"),
        ("", "configmaps", "get"),
        ("policy", "poddisruptionbudgets", "list"),
    }
    policy = pick(documents, "ValidatingAdmissionPolicy", "secure-redis-operator-workload-changes")
    assert policy["spec"]["failurePolicy"] == "Fail"
    assert pick(documents, "ValidatingAdmissionPolicyBinding", policy["metadata"]["name"])
    text = yaml.safe_dump(policy, width=10_000)
    for name in (names.VOLUME_PREFIX, names.SERVICE_BINDING_ROOT, names.version_annotation("")):
        assert name.removesuffix("version") in text


def test_no_role_uses_a_wildcard(plain: list[Document]) -> None:
    roles = [doc for doc in plain if doc["kind"] in {"ClusterRole", "Role"}]
    assert roles
    assert [role["metadata"]["name"] for role in roles if any("*" in power for power in powers(role))] == []


def test_by_default_no_namespace_consents(plain: list[Document]) -> None:
    bindings = [doc for doc in plain if doc["kind"] in {"RoleBinding", "ClusterRoleBinding"}]
    assert [doc for doc in bindings if doc["roleRef"]["name"] == "secure-redis-namespace"] == []
    assert all(doc["subjects"] == [OPERATOR] for doc in bindings)


def test_listed_namespaces_are_bound_one_by_one() -> None:
    bound = [
        doc
        for doc in render({"namespaces": ["shop", "blog"]})
        if doc["kind"] in {"RoleBinding", "ClusterRoleBinding"} and doc["roleRef"]["name"] == "secure-redis-namespace"
    ]
    assert [(doc["kind"], doc["metadata"]["namespace"]) for doc in bound] == [
        ("RoleBinding", "shop"),
        ("RoleBinding", "blog"),
    ]
    assert all(doc["subjects"] == [OPERATOR] for doc in bound)
    assert {doc["metadata"]["name"] for doc in bound} == {"secure-redis-operator-chart"}


def test_cluster_wide_binds_everywhere() -> None:
    documents = render({"clusterWide": True, "namespaces": ["shop"]})
    assert (
        pick(documents, "ClusterRoleBinding", "secure-redis-operator-namespaces")["roleRef"]["name"]
        == "secure-redis-namespace"
    )
    assert [doc for doc in documents if doc["kind"] == "RoleBinding" and doc["metadata"]["namespace"] == "shop"] == []


def test_the_consent_example_binds_the_role_to_the_default_installation(plain: list[Document]) -> None:
    example = [doc for doc in yaml.safe_load_all((ROOT / "examples/namespace-consent.yaml").read_text()) if doc]
    binding = pick(example, "RoleBinding")
    assert binding["roleRef"]["name"] == pick(plain, "ClusterRole", "secure-redis-namespace")["metadata"]["name"]
    assert binding["subjects"] == [OPERATOR]
    account = pick(example, "ServiceAccount")
    assert account["metadata"]["name"] == names.DEFAULT_SERVICE_ACCOUNT
    assert {names.ALLOW, names.CLIENT_ID, names.TENANT_ID} == account["metadata"]["annotations"].keys()


def configuration(values: Document, path: Path) -> Config:
    """Return the configuration that the operator's own strict reader reads from the rendered ConfigMap."""
    file = path / "config.yaml"
    file.write_text(pick(render(values), "ConfigMap")["data"]["config.yaml"])
    return load(file)


def test_the_operator_reads_the_default_configuration(tmp_path: Path) -> None:
    config = configuration({}, tmp_path)
    assert (config.health.address, config.health.port) == ("0.0.0.0", 8080), "probes come from outside the pod"
    assert config.grants == ()


def test_the_configuration_passes_through(tmp_path: Path) -> None:
    grant = {"namespaces": ["shop"], "powers": ["Observe"]}
    identity = {"type": "ManagedIdentity", "clientID": "00000000-0000-0000-0000-00000000c001"}
    given = {"cloud": {"name": "AzureChina"}, "operatorIdentity": identity, "grants": [grant]}
    config = configuration({"config": given, "port": 9090, "secrets": {"watch": "None"}}, tmp_path)
    assert config.cloud.name == "AzureChina"
    assert config.grants[0].namespaces == ("shop",)
    assert config.health.port == 9090
    assert config.secrets.watch == "None"


# Values with the key of the configuration file that each one sets, as docs/reference/configuration.md names them.
SETS: tuple[tuple[str, dict[str, Any], Any], ...] = (
    ("brakes.readOnly", {"readOnly": True}, True),
    ("caBundle", {"caBundle": {"configMap": "authorities"}}, "/etc/secure-redis/ca.pem"),
    ("compliance.foreignSecrets", {"secrets": {"searchForeign": True}}, True),
    ("health.port", {"port": 9090}, 9090),
    ("logging.level", {"logLevel": "debug"}, "DEBUG"),
    ("namespaces", {"watchNamespaces": ["shop"]}, ["shop"]),
    ("publishCABundle", {"caBundle": {"configMap": "authorities", "publish": True}}, True),
    ("secrets.watch", {"secrets": {"watch": "None"}}, "None"),
    ("workloads.enabled", {"workloads": {"enabled": True}}, True),
    ("brakes.correctionsPerHour", {"brakes": {"correctionsPerHour": 3}}, 3),
    ("cloud.name", {"cloud": {"name": "AzureChina"}}, "AzureChina"),
    ("compliance.minimumProfile", {"compliance": {"minimumProfile": "Strict"}}, "Strict"),
    ("defaults.intervalSeconds", {"defaults": {"intervalSeconds": 60}}, 60),
    ("intervals.probeSeconds", {"config": {"intervals": {"probeSeconds": 60}}}, 60),
)


@pytest.mark.parametrize(("key", "values", "expected"), SETS, ids=[key for key, _, _ in SETS])
def test_a_value_sets_the_key_that_the_documentation_names(key: str, values: dict[str, Any], expected: Any) -> None:
    given: Any = values
    for part in value_of(key).split("."):
        given = given[part]
    found = yaml.safe_load(pick(render(values), "ConfigMap")["data"]["config.yaml"])
    for part in key.split("."):
        found = found[part]
    assert found == expected


def test_every_key_with_a_value_of_another_name_is_tried() -> None:
    assert {key for key, _, _ in SETS} >= set(OTHER_VALUES)


def test_a_changed_configuration_starts_new_pods(plain: list[Document]) -> None:
    def checksum(documents: list[Document]) -> str:
        return str(
            pick(documents, "Deployment")["spec"]["template"]["metadata"]["annotations"][
                "secureredis.io/config-checksum"
            ]
        )

    assert checksum(plain) != checksum(render({"config": {"cloud": {"name": "AzureChina"}}}))


def test_the_pod_is_restricted_and_probed(plain: list[Document]) -> None:
    pod = pick(plain, "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["ports"] == [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]
    assert pod["serviceAccountName"] == "secure-redis-operator"


def test_openshift_chooses_the_user() -> None:
    pod = pick(render({"podSecurityContext": {"runAsUser": None, "runAsGroup": None}}), "Deployment")["spec"][
        "template"
    ]["spec"]
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def test_a_digest_wins_over_the_tag() -> None:
    digest = "sha256:" + "a" * 64
    pod = pick(render({"image": {"tag": "x", "digest": digest}}), "Deployment")["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == f"secure-redis-operator@{digest}"


def test_own_labels_cannot_break_the_selector() -> None:
    values = {"podLabels": {"app.kubernetes.io/name": "other", "azure.workload.identity/use": "true"}}
    deployment = pick(render(values), "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert labels["azure.workload.identity/use"] == "true"
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_policies_fail_closed_and_are_bound(plain: list[Document]) -> None:
    policies = [doc for doc in plain if doc["kind"] == "ValidatingAdmissionPolicy"]
    bindings = [doc for doc in plain if doc["kind"] == "ValidatingAdmissionPolicyBinding"]
    assert len(policies) == 6
    assert {doc["spec"]["failurePolicy"] for doc in policies} == {"Fail"}
    assert all(doc["spec"]["matchConditions"] for doc in policies)
    assert {doc["spec"]["policyName"] for doc in bindings} == {doc["metadata"]["name"] for doc in policies}
    assert all(doc["spec"]["validationActions"] == ["Deny"] for doc in bindings)


def test_policies_name_the_operator_that_was_installed() -> None:
    documents = render({"serviceAccount": {"name": "other"}}, namespace="elsewhere")
    texts = [yaml.safe_dump(doc, width=10_000) for doc in documents if doc["kind"] == "ValidatingAdmissionPolicy"]
    assert all(re.search("system:serviceaccount:elsewhere:other['\"]", text) for text in texts)


def test_policies_use_the_names_of_the_code(plain: list[Document]) -> None:
    text = "".join(yaml.safe_dump(doc, width=10_000) for doc in plain if doc["kind"] == "ValidatingAdmissionPolicy")
    for name in (
        names.SECRET_TYPE,
        names.MANAGED_BY,
        names.MANAGER,
        names.CACHE_LABEL,
        names.TOKEN_AUDIENCE,
        names.KIND,
    ):
        assert name in text
    assert f"'{names.DEFAULT_SERVICE_ACCOUNT}'" in text


def test_without_policies_there_are_none() -> None:
    documents = render({"policies": {"enabled": False}})
    assert [kind for kind, _ in kinds(documents) if kind.startswith("ValidatingAdmission")] == []


def test_the_same_values_render_the_same(plain: list[Document]) -> None:
    assert render() == plain


@pytest.mark.parametrize(
    ("values", "names_it"),
    [
        ({"namespace": ["shop"]}, "write namespaces"),
        ({"namespaces": ["Shop"]}, "namespaces/0"),
        ({"namespaces": ["shop", "shop"]}, "namespaces"),
        ({"clusterWide": "yes"}, "clusterWide"),
        ({"secrets": {"watch": "Cluster"}}, "secrets/watch"),
        ({"policies": {"defaultServiceAccount": "Maybe"}}, "policies/defaultServiceAccount"),
        ({"image": {"digest": "latest"}}, "image/digest"),
        ({"replicaCount": -1}, "replicaCount"),
        ({"config": "grants: []"}, "config"),
        ({"config": {"health": {"port": 9090}}}, "set the value port only"),
        ({"config": {"secrets": {"watch": "None"}}}, "set the value secrets.watch only"),
        ({"config": {"compliance": {"foreignSecrets": True}}}, "set the value secrets.searchForeign only"),
        ({"port": 80}, "port"),
        ({"podSecurityContext": {"runAsUser": 0}}, "podSecurityContext/runAsUser"),
        ({"fullnameOverride": "a'b"}, "fullnameOverride"),
        ({"serviceAccount": {"name": "a' || true || '"}}, "serviceAccount/name"),
    ],
)
def test_wrong_values_are_refused(values: dict[str, Any], names_it: str) -> None:
    with pytest.raises(Refused, match=names_it):
        render(values)
