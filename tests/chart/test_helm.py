"""The chart as Helm handles it: installed, upgraded and uninstalled on an API server of its own."""

import copy
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from sandbox.api import Api
from sandbox.chart.render import CHART, RELEASE_NAMESPACE, ROOT
from sandbox.cluster import Cluster
from sandbox.controlplane import ControlPlane
from sandbox.helm import helm
from sandbox.toolchain import kubectl
from sandbox.waiting import PATIENCE, wait_for

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/securerediscaches.secureredis.io"
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
Helm = Callable[..., str]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Helm must not meet what other tests applied without it."""
    with ControlPlane(tmp_path_factory.mktemp("helm"), controllers=False, scheduler=False, audit=False) as plane:
        yield plane.cluster


@pytest.fixture(scope="module")
def run(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    home = tmp_path_factory.mktemp("helm-home")
    environment = {**os.environ, "HOME": str(home), "KUBECONFIG": str(cluster.kubeconfig)}
    environment |= {f"HELM_{name}_HOME": str(home / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}

    def call(*arguments: str, values: Path | None = None) -> str:
        command = [str(helm()), "--namespace", RELEASE_NAMESPACE, *arguments]
        command += ["--values", str(values)] if values else []
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


@pytest.fixture(scope="module")
def refused(run: Helm) -> Helm:
    """A call that must fail; what Helm says then."""

    def call(*arguments: str) -> str:
        with pytest.raises(AssertionError) as failure:
            run(*arguments)
        return str(failure.value)

    return call


@pytest.mark.parametrize("server_side", ["true", "false"])
def test_install_upgrade_uninstall(run: Helm, cluster: Cluster, server_side: str, tmp_path: Path) -> None:
    api = Api(cluster)
    for name in ("shop", "blog"):
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}).must()
    values = tmp_path / "values.json"
    values.write_text(json.dumps({"namespaces": ["shop"]}))
    how = f"--server-side={server_side}"

    notes = run("install", "secure-redis", str(CHART), "--create-namespace", how, values=values)
    assert "It may publish Secrets in: shop." in notes
    assert "null" not in notes, "the notes print no command that removes finalizers, whatever is left on the Secret"
    assert api.get(CRD).ok
    assert len(api.get(POLICIES).must()["items"]) == 6
    before = api.get(CRD).must()["metadata"]["resourceVersion"]

    values.write_text(json.dumps({"namespaces": ["blog"], "policies": {"enabled": False}}))
    notes = run("upgrade", "secure-redis", str(CHART), how, values=values)
    assert "WARNING: policies.enabled is false" in notes
    assert api.get("/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings").must()["items"] == []
    assert len(api.get("/apis/rbac.authorization.k8s.io/v1/namespaces/blog/rolebindings").must()["items"]) == 1
    assert api.get(POLICIES).must()["items"] == []
    assert api.get(CRD).must()["metadata"]["resourceVersion"] == before, "an unchanged CRD must not be written"

    run("rollback", "secure-redis", "1")
    assert len(api.get(POLICIES).must()["items"]) == 6

    run("uninstall", "secure-redis")
    assert api.get(POLICIES).must()["items"] == []
    assert api.get(CRD).ok, "the CRD, and every resource with it, must outlive the release"


def test_a_namespace_that_is_deleted_or_bound_by_its_owner_stops_no_installation(
    run: Helm, cluster: Cluster, tmp_path: Path
) -> None:
    api = Api(cluster)
    consent = next(
        one
        for one in yaml.safe_load_all((ROOT / "examples/namespace-consent.yaml").read_text())
        if one["kind"] == "RoleBinding"
    )
    for name in ("owned", "going", "later"):
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}).must()
    api.apply({**consent, "metadata": {**consent["metadata"], "namespace": "owned"}}).must()
    delete_namespace(api, "going")  # no controller removes it here
    values = tmp_path / "values.json"
    namespaces = ["owned", "going", "later"]
    values.write_text(json.dumps({"namespaces": namespaces, "watchNamespaces": namespaces}))

    notes = run("install", "secure-redis", str(CHART), "--create-namespace", values=values)
    assert "It may publish Secrets in: owned, later." in notes
    assert "these namespaces are being deleted, and the operator has no permission there: going." in notes
    chart, watched = "secure-redis-operator-chart", "secure-redis-operator-resources"
    assert bindings(api, "owned") == {"secure-redis-operator", chart, watched}
    assert bindings(api, "going") == set()
    assert bindings(api, "later") == {chart, watched}

    delete_namespace(api, "later")
    run("upgrade", "secure-redis", str(CHART), values=values)
    assert bindings(api, "later") == {chart, watched}, "the operator still needs them to end its work there"
    run("uninstall", "secure-redis")
    assert bindings(api, "owned") == {"secure-redis-operator"}, "the owner's consent is not the chart's"


def bindings(api: Api, namespace: str) -> set[str]:
    items = api.get(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings").must()["items"]
    return {one["metadata"]["name"] for one in items}


def delete_namespace(api: Api, name: str) -> None:
    document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    api.delete(document).must()
    assert (api.find(document) or {})["status"]["phase"] == "Terminating"


def test_an_older_crd_that_others_installed_is_reported(run: Helm, cluster: Cluster, refused: Helm) -> None:
    api = Api(cluster)
    current = yaml.safe_load((ROOT / "crds/secureredis.io_securerediscaches.yaml").read_text())
    older = copy.deepcopy(current)
    schema = older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for part in (schema, schema["properties"]["spec"]):
        part.pop("x-kubernetes-validations", None)
    del schema["properties"]["spec"]["properties"]["drift"]
    del schema["properties"]["status"]["properties"]["pending"]
    older["spec"]["versions"][0]["additionalPrinterColumns"] = []
    api.delete(current)
    wait_for(lambda: api.get(CRD).status == 404, PATIENCE, "the CRD to go")
    api.apply(older).must()
    arguments = ("install", "secure-redis", str(CHART), "--create-namespace", "--set", "crds.enabled=false")
    said = refused(*arguments)
    assert (
        "older than this chart (crds.enabled is false). It does not know 2 fields: spec.drift, status.pending." in said
    )
    assert "kubectl apply --server-side -f crds/" in said
    api.apply(current).must()
    run(*arguments)
    run("uninstall", "secure-redis")
    api.delete(current).must()
    wait_for(lambda: api.get(CRD).status == 404, PATIENCE, "the CRD to go")


def test_a_release_in_a_namespace_that_is_deleted_is_refused(cluster: Cluster, run: Helm, refused: Helm) -> None:
    api = Api(cluster)
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ending"}}).must()
    delete_namespace(api, "ending")
    said = refused("install", "secure-redis", str(CHART), "--namespace", "ending")
    assert "The namespace ending is being deleted" in said
    assert "kubectl wait --for=delete namespace/ending" in said


def test_a_missing_namespace_is_reported_with_what_to_run(cluster: Cluster, run: Helm, refused: Helm) -> None:
    api = Api(cluster)
    arguments = ("install", "secure-redis", str(CHART), "--create-namespace")
    said = refused(*arguments, "--set", "namespaces={absent,default}")
    assert "namespaces that this cluster does not have: absent." in said
    assert "kubectl create namespace absent" in said
    made = '[{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "absent"}}]'
    namespaces = f"namespaces={{absent,{RELEASE_NAMESPACE}}}"
    run(*arguments, "--set", namespaces, "--set-json", f"extraObjects={made}")
    assert bindings(api, "absent") == {"secure-redis-operator-chart"}, "the release itself may create it"
    run("uninstall", "secure-redis")


def test_monitors_that_are_left_out_are_reported(run: Helm) -> None:
    notes = run("install", "secure-redis", str(CHART), "--create-namespace", "--set", "serviceMonitor.enabled=true")
    assert "the chart left them out: serviceMonitor (monitoring.coreos.com/v1/ServiceMonitor)." in notes
    run("uninstall", "secure-redis")


def test_lint(run: Helm) -> None:
    assert "0 chart(s) failed" in run("lint", str(CHART), "--strict")


def test_a_second_installation_is_refused_and_the_first_not_touched(run: Helm, cluster: Cluster, refused: Helm) -> None:
    """Two operators would fight over the same resources; what stops them is a role whose name is fixed."""
    run("install", "secure-redis", str(CHART), "--create-namespace")
    role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/secure-redis-namespace"
    before = Api(cluster).get(role).must()["metadata"]["resourceVersion"]
    said = refused("install", "another", str(CHART), "--set", "fullnameOverride=another,crds.enabled=false")
    assert 'ClusterRole "secure-redis-namespace"' in said
    assert 'current value is "secure-redis"' in said
    assert Api(cluster).get(role).must()["metadata"]["resourceVersion"] == before
    run("uninstall", "secure-redis")


def test_the_manifest_for_kubectl_can_be_applied_twice(cluster: Cluster) -> None:
    command = [str(kubectl()), "--kubeconfig", str(cluster.kubeconfig), "apply", "--server-side", "--force-conflicts"]
    for _ in range(2):
        done = subprocess.run(
            [*command, "-f", str(ROOT / "examples/install/install.yaml")],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
    deployment = f"/apis/apps/v1/namespaces/{RELEASE_NAMESPACE}/deployments/secure-redis-operator"
    assert Api(cluster).get(deployment).must()["metadata"]["generation"] == 1
