"""The chart's objects for every switch: legal for each supported Kubernetes, least permissions, a closed network."""

import functools
import ipaddress
import itertools
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from sandbox.chart.render import Document, pick, render, text
from sandbox.environments import environment
from secure_redis.cli.config import load
from tests.chart.matrix import MATRIX, MONITORING

MINORS = ("1.31", "1.34", "1.37")  # the oldest that can be allowed, the oldest supported, the newest with schemas
NOT_BUILT_IN = {"CustomResourceDefinition"}  # the API server judges the operator's own in tests/integration/crd
SKIPS = Path(__file__).with_name("checkov.yaml")
# Permissions that are never given in all namespaces unless clusterWide asks for them.
GUARDED = {"secrets", "pods", "serviceaccounts", "serviceaccounts/token", "deployments", "statefulsets", "daemonsets"}
GUARDED |= {"cronjobs", "poddisruptionbudgets", "pods/exec", "jobs", "replicasets"}
METADATA_SERVICE = ipaddress.ip_address("169.254.169.254")


@pytest.fixture(scope="module")
def rendered() -> dict[str, list[Document]]:
    return {name: render(values, tests=True, apis=MONITORING) for name, values in MATRIX.items()}


each = pytest.mark.parametrize("name", MATRIX)


@functools.cache  # most documents are the same under most values, and a validation takes a tenth of a second
def validate(document: str, minor: str) -> None:
    kubernetes_validate.validate(json.loads(document), minor, strict=True)


@each
def test_every_supported_kubernetes_takes_it(rendered: dict[str, list[Document]], name: str) -> None:
    for document in rendered[name]:
        if document["kind"] in NOT_BUILT_IN or document["apiVersion"].startswith("monitoring.coreos.com/"):
            continue
        for minor in MINORS:
            validate(json.dumps(document, sort_keys=True), minor)


@each
def test_nothing_is_there_twice(rendered: dict[str, list[Document]], name: str) -> None:
    """Server-side apply refuses lists with the same key twice, and a release the same object twice."""
    observed = [(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in rendered[name]]
    assert len(observed) == len(set(observed))
    pod = pick(rendered[name], "Deployment")["spec"]["template"]["spec"]
    container = pod["containers"][0]
    lists = (container["env"], "name"), (container["volumeMounts"], "mountPath"), (pod["volumes"], "name")
    for items, key in lists:
        keys = [item[key] for item in items]
        assert len(keys) == len(set(keys)), keys


@each
def test_the_operator_reads_its_configuration(rendered: dict[str, list[Document]], name: str, tmp_path: Path) -> None:
    maps = [one for one in rendered[name] if one["kind"] == "ConfigMap" and "config.yaml" in one.get("data", {})]
    (found,) = maps
    (tmp_path / "config.yaml").write_text(found["data"]["config.yaml"])
    load(tmp_path / "config.yaml")


@each
def test_all_pods_are_restricted(rendered: dict[str, list[Document]], name: str) -> None:
    specs = [one["spec"] for one in rendered[name] if one["kind"] == "Pod"]
    specs += [one["spec"]["template"]["spec"] for one in rendered[name] if one["kind"] in ("Deployment", "Job")]
    assert len(specs) >= 2
    for spec in specs:
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not spec.get("hostNetwork") and not spec.get("hostPID") and not spec.get("hostIPC")  # noqa: PT018
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


@each
def test_no_other_container_has_a_token_of_the_operator(rendered: dict[str, list[Document]], name: str) -> None:
    template = pick(rendered[name], "Deployment")["spec"]["template"]
    spec = template["spec"]
    operator, *others = spec["containers"]
    others += spec.get("initContainers", [])
    api = {"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True}
    assert spec["automountServiceAccountToken"] == (not others)
    assert (api in operator["volumeMounts"]) == bool(others)
    assert ("token" in {one["name"] for one in spec["volumes"]}) == bool(others)
    assert all(api not in one.get("volumeMounts", []) for one in others)
    if others and template["metadata"]["labels"].get("azure.workload.identity/use"):
        skipped = template["metadata"]["annotations"]["azure.workload.identity/skip-containers"].split(";")
        assert set(skipped) == {one["name"] for one in others}


@each
def test_no_blank_line_is_rendered(name: str) -> None:
    """Except the one that Helm itself prints between two documents of one template."""
    lines = text(MATRIX[name], apis=MONITORING).splitlines()
    pairs = itertools.pairwise([*lines, "---"])
    inside = [pair for pair in pairs if not pair[0].strip() and pair[1] != "---"]
    assert inside == []
    assert [line for line in lines if line != line.rstrip()] == []


def empty(part: Any, path: str = "") -> Iterator[str]:
    """The paths of keys without a value."""
    if isinstance(part, dict | list):
        for key, value in part.items() if isinstance(part, dict) else enumerate(part):
            if value is None or value in ({}, []):
                yield f"{path}.{key}"
            yield from empty(value, f"{path}.{key}")


def test_no_key_is_empty(rendered: dict[str, list[Document]]) -> None:
    documents = [one for one in rendered["defaults"] if one["kind"] not in NOT_BUILT_IN]
    found = [f"{one['kind']}{path}" for one in documents for path in empty(one)]
    assert found == ["NetworkPolicy.spec.ingress"], "an empty list closes the pods to everything"


# --- permissions ------------------------------------------------------------------------------------------------------


def roles(documents: list[Document]) -> dict[str, Document]:
    return {one["metadata"]["name"]: one for one in documents if one["kind"] in ("Role", "ClusterRole")}


@each
def test_nothing_guarded_is_given_everywhere_unless_asked_for(rendered: dict[str, list[Document]], name: str) -> None:
    documents = rendered[name]
    bound = [one["roleRef"]["name"] for one in documents if one["kind"] == "ClusterRoleBinding"]
    everywhere = {
        resource for role in bound for rule in roles(documents)[role]["rules"] for resource in rule["resources"]
    }
    assert not any("*" in resource for resource in everywhere)
    if MATRIX[name].get("clusterWide"):
        assert "secure-redis-namespace" in bound
    else:
        assert everywhere & GUARDED == set()


@each
def test_aggregated_roles_give_nothing_but_our_own_kind(rendered: dict[str, list[Document]], name: str) -> None:
    documents = rendered[name]
    aggregated = {
        label.removeprefix("rbac.authorization.k8s.io/aggregate-to-"): one
        for one in documents
        if one["kind"] == "ClusterRole"
        for label in one["metadata"]["labels"]
        if label.startswith(("rbac.authorization.k8s.io/aggregate-to-", "servicebinding.io/"))
    }
    for role in aggregated.values():
        assert {resource for rule in role["rules"] for resource in rule["resources"]} == {"securerediscaches"}
    asked = MATRIX[name].get("rbac", {})
    made = asked.get("create", True)
    assert ("view" in aggregated) == (made and asked.get("aggregateToView", True))
    assert ("edit" in aggregated) == (made and asked.get("aggregateToEdit", False)), "off by default"
    assert ("admin" in aggregated) == (made and asked.get("aggregateToAdmin", False)), "off by default"
    if "view" in aggregated:
        assert aggregated["view"]["rules"][0]["verbs"] == ["get", "list", "watch"]


def test_watched_namespaces_bound_what_is_read(rendered: dict[str, list[Document]]) -> None:
    documents = rendered["watched-namespaces"]
    everywhere = [one["roleRef"]["name"] for one in documents if one["kind"] == "ClusterRoleBinding"]
    assert everywhere == ["secure-redis-operator-namespaces-read"]
    rules = [(one["resources"], one["resourceNames"], one["verbs"]) for one in roles(documents)[everywhere[0]]["rules"]]
    assert rules == [
        (["namespaces"], ["kube-system", "shop", "blog"], ["get"]),
        (["leases"], ["secure-redis-operator"], ["get"]),
    ]
    bound = {
        (one["metadata"]["namespace"], one["roleRef"]["name"])
        for one in documents
        if one["kind"] == "RoleBinding" and one["roleRef"]["kind"] == "ClusterRole"
    }
    assert bound == {
        ("shop", "secure-redis-operator"),
        ("blog", "secure-redis-operator"),
        ("shop", "secure-redis-namespace"),
    }


def test_no_role_is_made_where_others_make_them(rendered: dict[str, list[Document]]) -> None:
    kinds = {one["kind"] for one in rendered["no-rbac"]}
    assert not kinds & {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "ServiceAccount"}


# --- network ----------------------------------------------------------------------------------------------------------


def reachable(policy: Document, address: str, port: int) -> bool:
    """Whether the egress rules let this address be reached at this TCP port (selectors count as not)."""
    where = ipaddress.ip_address(address)
    for rule in policy["spec"]["egress"]:
        ports = [one["port"] for one in rule["ports"] if one["protocol"] == "TCP"]
        if port not in ports:
            continue
        if "to" not in rule:
            return True
        for peer in rule["to"]:
            block: dict[str, Any] | None = peer.get("ipBlock")
            if block is None or where not in ipaddress.ip_network(block["cidr"]):
                continue
            if not any(where in ipaddress.ip_network(one) for one in block.get("except", [])):
                return True
    return False


@each
def test_pods_reach_what_they_need_and_nothing_else(rendered: dict[str, list[Document]], name: str) -> None:
    policies = [one for one in rendered[name] if one["kind"] == "NetworkPolicy"]
    if name == "no-network-policy":
        assert policies == []
        return
    (policy,) = policies
    labels = pick(rendered[name], "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    managed = name == "managed-identity"
    for port in (80, 443, 6379, 6380, 8080, 10000):
        allowed = port == 80 and managed
        assert reachable(policy, str(METADATA_SERVICE), port) == allowed, (name, port)
    if name != "narrow-network":
        for port in (443, 6380, 10000, 6379):
            assert reachable(policy, "20.1.2.3", port), (name, port)
            assert reachable(policy, "2603:1030::1", port), (name, port)
    proxied = {"proxy": (3128,)}.get(name, ())
    for port in (22, 80, 3306, 5432, 8080, 3128):
        assert reachable(policy, "10.9.9.9", port) == (port in proxied), (name, port)
    allowed_from = MATRIX[name].get("networkPolicy", {}).get("ingressFrom", [])
    port = MATRIX[name].get("port", 8080)
    expected = [{"ports": [{"port": port, "protocol": "TCP"}], "from": allowed_from}] if allowed_from else []
    assert policy["spec"]["ingress"] == expected, "a rule without `from` lets everybody in"


def test_a_network_can_be_narrowed(rendered: dict[str, list[Document]]) -> None:
    policy = pick(rendered["narrow-network"], "NetworkPolicy")
    assert reachable(policy, "10.0.0.1", 6443)
    assert not reachable(policy, "10.0.0.2", 6443)
    assert reachable(policy, "10.1.2.3", 6380)
    assert not reachable(policy, "10.1.2.3", 6379), "plaintextPortCheck is off"
    assert not reachable(policy, "10.2.2.3", 6380)
    assert policy["spec"]["ingress"][0]["from"]


def test_by_default_no_pod_reaches_the_port(rendered: dict[str, list[Document]]) -> None:
    policy = pick(rendered["defaults"], "NetworkPolicy")
    assert policy["spec"]["ingress"] == []
    assert "Ingress" in policy["spec"]["policyTypes"], "without it the empty list would close nothing"


# --- what single switches do ---


def test_workload_identity_has_the_label_that_the_webhook_selects(rendered: dict[str, list[Document]]) -> None:
    documents = rendered["workload-identity"]
    pod = pick(documents, "Deployment")["spec"]["template"]["metadata"]
    assert pod["labels"]["azure.workload.identity/use"] == "true"
    annotations = pick(documents, "ServiceAccount")["metadata"]["annotations"]
    assert {"azure.workload.identity/client-id", "azure.workload.identity/tenant-id"} <= annotations.keys()
    plain = pick(rendered["managed-identity"], "Deployment")["spec"]["template"]["metadata"]
    assert "azure.workload.identity/use" not in plain["labels"]


def test_a_budget_needs_a_second_replica(rendered: dict[str, list[Document]]) -> None:
    budget = pick(rendered["defaults"], "PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1
    for name in ("one-replica", "no-replica", "no-budget"):
        assert "PodDisruptionBudget" not in {one["kind"] for one in rendered[name]}


def test_two_replicas_are_spread(rendered: dict[str, list[Document]]) -> None:
    spec = pick(rendered["defaults"], "Deployment")["spec"]
    assert spec["replicas"] == 2
    spread = spec["template"]["spec"]["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in spread] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    assert all(one["matchLabelKeys"] == ["pod-template-hash"] for one in spread)


def test_hooks_are_no_replica(rendered: dict[str, list[Document]]) -> None:
    """Else the Deployment's Service, budget and spread would count them."""
    documents = rendered["crd-goes-too"]
    selector = pick(documents, "Deployment")["spec"]["selector"]["matchLabels"]
    for labels in (
        pick(documents, "Pod")["metadata"]["labels"],
        pick(documents, "Job")["spec"]["template"]["metadata"]["labels"],
    ):
        assert not selector.items() <= labels.items()
        assert pick(documents, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    assert "Job" not in {one["kind"] for one in rendered["defaults"]}, "where the CRD stays, nothing can hang"


def test_monitors_keep_the_labels_of_resources(rendered: dict[str, list[Document]]) -> None:
    documents = rendered["monitored"]
    assert pick(documents, "ServiceMonitor")["spec"]["endpoints"][0]["honorLabels"] is True
    assert pick(documents, "PodMonitor")["spec"]["podMetricsEndpoints"][0]["honorLabels"] is True
    service = pick(documents, "Service")
    wanted = pick(documents, "ServiceMonitor")["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= service["metadata"]["labels"].items()


def test_monitors_are_rendered_as_asked_where_the_kind_is_not_known() -> None:
    for mode, there in (("skipIfMissing", False), ("alwaysRender", True)):
        documents = render({"podMonitor": {"enabled": True, "renderMode": mode}})
        assert ("PodMonitor" in {one["kind"] for one in documents}) is there


def test_a_monitor_is_left_out_by_default_where_the_kind_is_not_known() -> None:
    values = {name: {"enabled": True} for name in ("serviceMonitor", "podMonitor", "prometheusRule")}
    assert {one["kind"] for one in render(values)} & {
        "ServiceMonitor",
        "PodMonitor",
        "PrometheusRule",
        "Service",
    } == set()


def test_credentials_of_the_parent_chart_are_used(rendered: dict[str, list[Document]]) -> None:
    expected = [{"name": "registry"}, {"name": "parent"}]
    assert pick(rendered["extras"], "Deployment")["spec"]["template"]["spec"]["imagePullSecrets"] == expected
    assert pick(rendered["extras"], "Pod")["spec"]["imagePullSecrets"] == expected


def test_more_arguments_follow_the_charts_own(rendered: dict[str, list[Document]]) -> None:
    container = pick(rendered["extras"], "Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == ["run", "--config=/etc/secure-redis/config.yaml", "--context=other"]


def test_probes_can_be_set_and_left_out(rendered: dict[str, list[Document]]) -> None:
    def probes(name: str) -> Document:
        container = pick(rendered[name], "Deployment")["spec"]["template"]["spec"]["containers"][0]
        return {key: value for key, value in container.items() if key.endswith("Probe")}

    assert probes("no-probes") == {}
    assert probes("defaults").keys() == {"livenessProbe", "readinessProbe"}
    assert probes("extras")["livenessProbe"]["initialDelaySeconds"] == 5
    assert probes("extras")["livenessProbe"]["failureThreshold"] == 6
    assert probes("extras")["startupProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}


def test_no_proxy_is_used_for_the_api_server(rendered: dict[str, list[Document]]) -> None:
    env = {
        one["name"]: one.get("value")
        for one in pick(rendered["proxy"], "Deployment")["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    assert env["HTTPS_PROXY"] == "http://proxy.example:3128"
    assert str(env["NO_PROXY"]).split(",")[0] == "$(KUBERNETES_SERVICE_HOST)"


# --- checkov ---


def test_checkov_finds_nothing_that_is_not_explained(rendered: dict[str, list[Document]], tmp_path: Path) -> None:
    for name, documents in rendered.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump_all(documents))
    explained = yaml.safe_load(SKIPS.read_text())
    assert all(len(one["because"]) > 20 for one in explained.values()), "every skip has its reason"
    done = subprocess.run(
        [
            *(str(environment("checkov") / "bin/python"), "-m", "checkov.main", "--directory", str(tmp_path)),
            *("--framework", "kubernetes", "--output", "json", "--quiet", "--compact", "--skip-download"),
        ],
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "CHECKOV_EXPERIMENTAL_NO_TELEMETRY": "1",
            "LOG_LEVEL": "ERROR",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    report = json.loads(done.stdout)
    assert report["summary"]["passed"] > 500, done.stderr[-2000:]
    assert report["summary"]["parsing_errors"] == 0
    failed = {(one["check_id"], one["check_name"], one["resource"]) for one in report["results"]["failed_checks"]}
    excused = {(check, kind) for check, one in explained.items() for kind in one["on"]}
    assert {one for one in failed if (one[0], one[2].split(".")[0]) not in excused} == set()
    assert set(explained) == {one[0] for one in failed}, "what no longer fails needs no excuse"
