"""The control plane itself: what every other integration test takes for granted."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest

from sandbox.cluster import Cluster
from sandbox.controlplane import ControlPlane
from sandbox.processes import Child, ProcessError
from sandbox.toolchain import DEFAULT_VERSION
from sandbox.waiting import PATIENCE, wait_for
from tests.controlplane import empty
from tests.kube import Kube, KubeError

ROOT = Path(__file__).parents[2]


def config_map(namespace: str, name: str = "a", **data: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def deployment(namespace: str) -> dict[str, object]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "example.invalid/web:1"}]},
            },
        },
    }


def test_it_is_the_pinned_version(control_plane: Cluster) -> None:
    assert control_plane.request("GET", "/version")["gitVersion"] == f"v{DEFAULT_VERSION}"


def test_its_openapi_was_not_broken_by_the_go_version(control_plane: Cluster) -> None:
    status, text = control_plane.raw_request("GET", "/openapi/v3/apis/apps/v1")
    assert status == 200
    assert "io.k8s.api.apps.v1.Deployment" in text
    assert '"Extensions":null' not in text


def test_controllers_act_and_the_scheduler_decides(kube: Kube, namespace: str) -> None:
    kube.apply(deployment(namespace))
    pods = wait_for(
        lambda: [
            pod
            for pod in kube.list("Pod", namespace)
            if any(c["type"] == "PodScheduled" for c in pod.get("status", {}).get("conditions", []))
        ],
        PATIENCE,
        "the scheduler to look at the pods",
    )
    assert "no nodes available" in pods[0]["status"]["conditions"][0]["message"]


def test_a_service_account_has_its_own_rights_only(control_plane: Cluster, kube: Kube, namespace: str) -> None:
    config = control_plane.service_account_kubeconfig(namespace, "default")
    assert config.stat().st_mode & 0o077 == 0
    client = Kube(config)
    with pytest.raises(KubeError) as refused:
        client.list("ConfigMap", namespace)
    assert refused.value.status == 403
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "reader", "namespace": namespace},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "reader", "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
    }
    kube.apply(role)
    kube.apply(binding)

    def listed() -> list[object] | None:
        try:
            return [*client.list("ConfigMap", namespace)]
        except KubeError as error:
            if error.status != 403:
                raise
            return None

    assert wait_for(listed, PATIENCE, "the new binding to be noticed")  # kube-root-ca.crt at least


def test_projected_tokens_verify_against_the_published_key(control_plane: Cluster, namespace: str) -> None:
    audience = "api://AzureADTokenExchange"
    token = control_plane.service_account_token(namespace, "default", [audience])
    claims = jwt.decode(
        token,
        control_plane.service_account_public_key_pem,
        algorithms=["RS256"],
        audience=audience,
        issuer=control_plane.service_account_issuer,
    )
    assert claims["sub"] == f"system:serviceaccount:{namespace}:default"


def test_the_audit_log_names_user_verb_and_object(control_plane: Cluster, kube: Kube, namespace: str) -> None:
    mark = control_plane.audit_position()
    kube.apply(config_map(namespace, k="v"))
    kube.create(config_map(namespace, "dry"), dry_run=True)
    events = wait_for(
        lambda: control_plane.audit_events(
            since=mark, user="sandbox-admin", where=lambda e: e.namespace == namespace and e.verb == "create"
        ),
        PATIENCE,
        "the dry run in the audit log",
    )
    (dry,) = events
    assert not dry.is_write
    (applied,) = control_plane.audit_events(since=mark, where=lambda e: e.namespace == namespace and e.verb == "patch")
    assert (applied.resource, applied.name, applied.code, applied.is_write) == ("configmaps", "a", 201, True)


def test_a_refusal_is_in_the_servers_words_and_changes_nothing(kube: Kube, namespace: str) -> None:
    wrong = {**config_map(namespace), "dataa": {}}
    assert 'unknown field "dataa"' in str(kube.refusal(wrong))
    assert kube.refusal(config_map(namespace)) is None
    assert kube.get("ConfigMap", "a", namespace) is None


def test_namespaces_are_unique(new_namespace: Callable[..., str], kube: Kube) -> None:
    first, second = new_namespace(labels={"team": "a"}), new_namespace()
    assert first != second
    assert (kube.get("Namespace", first) or {})["metadata"]["labels"]["team"] == "a"


def test_the_crds_are_served(crd_installed: None, kube: Kube, namespace: str) -> None:
    assert kube.list("SecureRedisCache", namespace, "secureredis.io/v1alpha1") == []


def test_a_finished_test_leaves_nothing_that_could_wake_the_next_ones_operator(
    crd_installed: None, kube: Kube, namespace: str
) -> None:
    kube.apply(deployment(namespace))
    kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "left", "namespace": namespace}})
    kube.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "left", "namespace": namespace}})
    cache = {
        "apiVersion": "secureredis.io/v1alpha1",
        "kind": "SecureRedisCache",
        "metadata": {"name": "left", "namespace": namespace, "finalizers": ["secureredis.io/finalizer"]},
        "spec": {
            "resourceID": "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop"
            "/providers/Microsoft.Cache/redis/orders"
        },
    }
    kube.create(cache)
    empty(kube, namespace)
    assert kube.list("SecureRedisCache", namespace, "secureredis.io/v1alpha1") == []
    assert kube.list("Secret", namespace) == []
    assert kube.list("Deployment", namespace, "apps/v1") == []
    assert [account["metadata"]["name"] for account in kube.list("ServiceAccount", namespace)] == ["default"]


def test_stopping_leaves_no_process_and_no_data(tmp_path: Path) -> None:
    with ControlPlane(tmp_path, controllers=False, scheduler=False) as plane:
        pids = list(plane.pids.values())
        assert len(pids) == 2
        assert Cluster.load(tmp_path) == plane.cluster
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert not (tmp_path / "etcd").exists()
    with pytest.raises(FileNotFoundError):
        Cluster.load(tmp_path)


def test_a_program_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    child = Child(["sh", "-c", "echo it hurts; exit 3"], tmp_path / "log")
    child.wait(PATIENCE)
    with pytest.raises(ProcessError, match=r"(?s)code 3.*it hurts"):
        child.check()


def test_nothing_outlives_a_killed_parent(tmp_path: Path) -> None:
    """Even when the thread that asked for the child has long ended, and when no process could clean up."""
    script = """
import pathlib, sys, threading, time
from sandbox.processes import Child
child = None
def start():
    global child
    child = Child(["sleep", "600"], pathlib.Path(sys.argv[1]) / "log")
thread = threading.Thread(target=start); thread.start(); thread.join()
assert child.alive
print(child.pid, flush=True)
time.sleep(600)
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        wait_for(
            lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n", PATIENCE, "the child to be what was asked for"
        )
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    wait_for(lambda: not _runs(pid), PATIENCE, "the child of the killed process to end")


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_the_description_contains_no_secret_that_others_may_read(control_plane: Cluster) -> None:
    description = control_plane.directory / "cluster.json"
    assert json.loads(description.read_text())["admin_token"] not in repr(control_plane)
    for name in ("cluster.json", "admin.kubeconfig", "tokens.csv", "sa.key", "tls.key"):
        assert (control_plane.directory / name).stat().st_mode & 0o077 == 0
