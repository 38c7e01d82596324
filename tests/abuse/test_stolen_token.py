"""A stolen token of the operator's ServiceAccount can do only what docs/security.md lists.

Every request here carries a real token. An attempt that is `listed` succeeds, and docs/security.md says so.
"""

import itertools
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.api import Api, Document, path_of
from sandbox.chart.install import OPERATOR
from sandbox.chart.render import RELEASE_NAMESPACE
from secure_redis.api import names
from tests.abuse.conftest import PRIVATE, SHOP
from tests.abuse.requests import (
    CONSENT,
    MANAGER,
    await_true,
    deployment,
    dry_merge,
    env,
    init,
    listed,
    mount,
    resource,
    send,
)

# Tables: one attempt a line, however long.
# ruff: noqa: E501, S108
RESOURCES = f"/apis/{names.API_VERSION}"
OURS = {names.MANAGED_BY: names.MANAGER, names.CACHE_LABEL: "orders"}
_numbers = itertools.count()

# Row of the review, or what is tried; method and path. No role of the chart gives it.
NO_RIGHT = [
    ("D24 all Secrets", "GET", "/api/v1/secrets"),
    ("D24 Secrets of a namespace without consent", "GET", f"/api/v1/namespaces/{PRIVATE}/secrets"),
    ("D24 a Secret by name without consent", "GET", f"/api/v1/namespaces/{PRIVATE}/secrets/any"),
    ("D24 Secrets of kube-system", "GET", "/api/v1/namespaces/kube-system/secrets"),
    ("D24 Secrets of its own namespace", "GET", f"/api/v1/namespaces/{RELEASE_NAMESPACE}/secrets"),
    ("D24 pods everywhere", "GET", "/api/v1/pods"),
    ("D24 log of a pod", "GET", f"/api/v1/namespaces/{SHOP}/pods/any/log"),
    ("D24 exec into a pod", "POST", f"/api/v1/namespaces/{SHOP}/pods/any/exec"),
    ("D24 a pod", "POST", f"/api/v1/namespaces/{SHOP}/pods"),
    ("D24 delete a pod", "DELETE", f"/api/v1/namespaces/{SHOP}/pods/any"),
    ("D24 nodes", "GET", "/api/v1/nodes"),
    ("D24 list namespaces", "GET", "/api/v1/namespaces"),
    ("D24 delete a namespace", "DELETE", f"/api/v1/namespaces/{SHOP}"),
    ("D24 roles", "GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles"),
    ("D24 bind a role", "POST", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{PRIVATE}/rolebindings"),
    ("D24 a cluster role", "POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles"),
    ("D24 policies", "GET", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"),
    ("D24 delete a binding of a policy", "DELETE",
     "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/secure-redis-operator-secret-writes"),
    ("D24 a webhook", "POST", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"),
    ("D24 CRDs", "GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
    ("D24 change the CRD", "PATCH", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/securerediscaches.secureredis.io"),
    ("D24 its own Deployment", "PATCH", f"/apis/apps/v1/namespaces/{RELEASE_NAMESPACE}/deployments/{OPERATOR}"),
    ("D24 its own configuration", "PATCH", f"/api/v1/namespaces/{RELEASE_NAMESPACE}/configmaps/{OPERATOR}"),
    ("D24 a certificate", "POST", "/apis/certificates.k8s.io/v1/certificatesigningrequests"),
    ("D02 a token without consent", "POST", f"/api/v1/namespaces/{PRIVATE}/serviceaccounts/orders/token"),
    ("D02 a token of its own account", "POST", f"/api/v1/namespaces/{RELEASE_NAMESPACE}/serviceaccounts/{OPERATOR}/token"),
    ("D02 a token of kube-system", "POST", "/api/v1/namespaces/kube-system/serviceaccounts/default/token"),
    ("D07 delete all Secrets", "DELETE", f"/api/v1/namespaces/{SHOP}/secrets"),
    ("D19 create a resource", "POST", f"{RESOURCES}/namespaces/{SHOP}/{names.PLURAL}"),
    ("D19 delete a resource", "DELETE", f"{RESOURCES}/namespaces/{SHOP}/{names.PLURAL}/orders"),
    ("D19 delete all resources", "DELETE", f"{RESOURCES}/namespaces/{SHOP}/{names.PLURAL}"),
    ("D16 status of a workload", "PATCH", f"/apis/apps/v1/namespaces/{SHOP}/deployments/any/status"),
    ("D16 scale", "PATCH", f"/apis/apps/v1/namespaces/{SHOP}/deployments/any/scale"),
    ("D16 a Deployment", "POST", f"/apis/apps/v1/namespaces/{SHOP}/deployments"),
    ("D16 a Job", "POST", f"/apis/batch/v1/namespaces/{SHOP}/jobs"),
    ("D16 a CronJob", "POST", f"/apis/batch/v1/namespaces/{SHOP}/cronjobs"),
    ("D16 delete a Deployment", "DELETE", f"/apis/apps/v1/namespaces/{SHOP}/deployments/any"),
    ("D08 a workload without consent of its namespace", "PATCH", f"/apis/apps/v1/namespaces/{PRIVATE}/deployments/any"),
    ("D24 list ServiceAccounts", "GET", f"/api/v1/namespaces/{SHOP}/serviceaccounts"),
    ("D24 annotate a ServiceAccount", "PATCH", f"/api/v1/namespaces/{SHOP}/serviceaccounts/orders"),
    ("D24 list ConfigMaps", "GET", f"/api/v1/namespaces/{SHOP}/configmaps"),
    ("D23 a Lease of a tenant", "GET", f"/apis/coordination.k8s.io/v1/namespaces/{SHOP}/leases/any"),
    ("D23 a Lease of kube-system", "PATCH",
     "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager"),
    ("D22 read events", "GET", "/apis/events.k8s.io/v1/events"),
    ("D24 impersonate", "GET", "/apis/authentication.k8s.io/v1/selfsubjectreviews"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), [row[1:] for row in NO_RIGHT], ids=[row[0] for row in NO_RIGHT])
def test_no_role_gives_it(stolen: Api, method: str, path: str) -> None:
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    answer = stolen.call(method, path, {} if method in ("PATCH", "POST") else None, kind=kind)
    assert answer.status in (403, 405), answer.body


@pytest.mark.legitimate
def test_the_token_is_accepted(stolen: Api) -> None:
    stolen.get(f"{RESOURCES}/{names.PLURAL}").must()


# --- tokens ---------------------------------------------------------------------------------------------------------

AUDIENCE = names.TOKEN_AUDIENCE
TOKENS: list[tuple[str, Document]] = [
    ("D01 no audience", {"expirationSeconds": 3600}),
    ("D01 empty audiences", {"audiences": [], "expirationSeconds": 3600}),
    ("D01 the API server's audience", {"audiences": ["https://kubernetes.default.svc"], "expirationSeconds": 3600}),
    ("D01 two audiences", {"audiences": [AUDIENCE, "api"], "expirationSeconds": 3600}),
    ("D01 the same twice", {"audiences": [AUDIENCE, AUDIENCE], "expirationSeconds": 3600}),
    ("D01 upper case", {"audiences": [AUDIENCE.upper()], "expirationSeconds": 3600}),
    ("D01 a space behind it", {"audiences": [f"{AUDIENCE} "], "expirationSeconds": 3600}),
    ("D01 two hours", {"audiences": [AUDIENCE], "expirationSeconds": 7200}),
    ("D01 a second more than an hour", {"audiences": [AUDIENCE], "expirationSeconds": 3601}),
    ("D01 a year", {"audiences": [AUDIENCE], "expirationSeconds": 31536000}),
]


def token_request(stolen: Api, spec: Document) -> int:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    return stolen.call("POST", f"/api/v1/namespaces/{SHOP}/serviceaccounts/orders/token", body).status


@pytest.mark.parametrize("spec", [row[1] for row in TOKENS], ids=[row[0] for row in TOKENS])
def test_no_other_token_is_issued(stolen: Api, spec: Document) -> None:
    assert token_request(stolen, spec) == 403


@pytest.mark.listed
def test_a_token_for_azure_is_issued(stolen: Api) -> None:
    """docs/security.md: a stolen token acts in Azure as each ServiceAccount of a consenting namespace."""
    assert token_request(stolen, {"audiences": [AUDIENCE], "expirationSeconds": 3600}) == 201


# --- Secrets --------------------------------------------------------------------------------------------------------


def encoded(value: bytes) -> str:
    return b64encode(value).decode()


def secret(data: dict[str, str] | None = None, **more: Any) -> Document:
    metadata = {"name": f"s-{next(_numbers)}", "namespace": SHOP, "labels": OURS, **more.pop("metadata", {})}
    body = {"host": encoded(b"orders.redis.sandbox.test")} if data is None else data
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": names.SECRET_TYPE, "data": body, **more}


ELF = b"\x7fELF\x02\x01\x01" + bytes(200)
SECRETS = [
    ("D04 Opaque", secret(type="Opaque")),
    ("D04 a TLS Secret", secret({"tls.crt": "", "tls.key": ""}, type="kubernetes.io/tls")),
    ("D04 a bootstrap token", secret(type="bootstrap.kubernetes.io/token")),
    ("D04 without labels", secret(metadata={"labels": {}})),
    ("D04 without the resource's label", secret(metadata={"labels": {names.MANAGED_BY: names.MANAGER}})),
    ("D04 another manager", secret(metadata={"labels": {**OURS, names.MANAGED_BY: "Helm"}})),
    ("D04 another namespace", secret(metadata={"namespace": PRIVATE})),
    ("D04 its own namespace", secret(metadata={"namespace": RELEASE_NAMESPACE})),
    ("D04 kube-system", secret(metadata={"namespace": "kube-system"})),
    ("D04 immutable", secret(immutable=True)),
    ("D05 a ServiceAccount's token", secret(
        {}, type="kubernetes.io/service-account-token",
        metadata={"annotations": {"kubernetes.io/service-account.name": "orders"}})),
    ("D04 an owner reference", secret(metadata={"ownerReferences": [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "u"}]})),
    ("R07 a program", secret({"x": encoded(ELF)})),
    ("R07 a library under a known name", secret({"host": encoded(ELF)})),
    ("R07 a library as ca.crt", secret({"ca.crt": encoded(ELF)})),
    ("R07 a library at the end of ca.crt", secret({"ca.crt": encoded(b"-----BEGIN CERTIFICATE-----\n" + ELF)})),
    ("R07 a script", secret({"run": encoded(b"#!/bin/sh\nexec evil\n")})),
    ("R07 a script of one line", secret({"run": encoded(b"#!/bin/evil")})),
    ("R07 two lines", secret({"app.py": encoded(b"import os\nos.abort()")})),
    ("R07 a carriage return", secret({"app.py": encoded(b"a\rb")})),
    ("R07 a tab", secret({"x": encoded(b"a\tb")})),
    ("R07 a null byte", secret({"x": encoded(b"a\x00")})),
    ("R07 a byte above ASCII first", secret({"x": encoded(b"\xffaa")})),
    ("R07 a byte above ASCII second", secret({"x": encoded(b"a\xffa")})),
    ("R07 a byte above ASCII third", secret({"x": encoded(b"aa\xff")})),
    ("R07 a byte above ASCII alone", secret({"x": encoded(b"\xff")})),
    ("R07 UTF-8", secret({"x": encoded("é".encode())})),
    ("R07 a long value", secret({"password": encoded(b"a" * 4000)})),
    ("R07 a large value", secret({"password": encoded(b"a" * 500_000)})),
    ("R07 many entries", secret({f"k{number}": "" for number in range(101)})),
    ("R07 large authorities", secret({"ca.crt": encoded(b"-----BEGIN CERTIFICATE-----\n" + b"A" * 80_000)})),
    ("R19 a replicator's annotation", secret(
        metadata={"annotations": {"reflector.v1.k8s.emberstack.com/reflection-allowed": "true"}})),
    ("R19 another replicator's annotation", secret(
        metadata={"annotations": {"replicator.v1.mittwald.de/replicate-to": "*"}})),
    ("R19 a replicator's label", secret(metadata={"labels": {**OURS, "kubed.appscode.com/sync": "true"}})),
    ("R19 Helm's annotation", secret(metadata={"annotations": {"meta.helm.sh/release-name": "x"}})),
    ("R19 Argo CD's annotation", secret(metadata={"annotations": {"argocd.argoproj.io/tracking-id": "x"}})),
]  # fmt: skip


@pytest.mark.parametrize("document", [row[1] for row in SECRETS], ids=[row[0] for row in SECRETS])
def test_no_other_secret_is_written(stolen: Api, document: Document) -> None:
    answer = stolen.create(document, dry_run=True)
    assert answer.status == 403, answer.body


@pytest.mark.legitimate
def test_a_connection_secret_is_written(stolen: Api) -> None:
    pem = encoded(b"-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n")
    uri = b"rediss://default:abc%2F+=@orders.redis.sandbox.test:6380/0?ssl_cert_reqs=required"
    for length in range(6):
        data = {"uri": encoded(uri + b"~ " * length + b"x" * length), "ca.crt": pem, "MY_CA": pem, "empty": ""}
        stolen.create(secret(data), dry_run=True).must()


@pytest.fixture(scope="module")
def victim(admin: Api) -> Document:
    """A Secret of a tenant."""
    document = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "victim", "namespace": SHOP},
        "type": "Opaque",
        "data": {"k": encoded(b"v")},
    }
    admin.apply(document).must()
    return document


TAKEOVERS: list[tuple[str, Document]] = [
    ("D07 labels", {"metadata": {"labels": OURS}}),
    ("D07 data", {"data": {"k": encoded(b"evil")}}),
    ("D07 our annotation", {"metadata": {"annotations": {names.SECRET_RESOURCE: "orders"}}}),
    ("D07 both", {"metadata": {"labels": OURS}, "data": {"k": encoded(b"evil")}}),
    ("D07 finalizer", {"metadata": {"finalizers": ["secureredis.io/finalizer"]}}),
    ("D07 immutable", {"immutable": True}),
]


@pytest.mark.parametrize("change", [row[1] for row in TAKEOVERS], ids=[row[0] for row in TAKEOVERS])
def test_no_foreign_secret_is_taken_over(stolen: Api, victim: Document, change: Document) -> None:
    assert dry_merge(stolen, victim, change).status == 403


def test_no_foreign_secret_is_deleted(stolen: Api, victim: Document) -> None:
    assert stolen.delete(victim).status == 403


@pytest.mark.listed
def test_secrets_of_a_consenting_namespace_are_read(stolen: Api, victim: Document) -> None:
    """docs/security.md: admission cannot bound reads."""
    assert stolen.get(path_of(victim)).must()["data"] == victim["data"]


@pytest.mark.listed
def test_a_published_secret_is_rewritten_with_one_line(stolen: Api) -> None:
    """docs/security.md: a stolen token can send applications to another server that has a valid certificate."""
    stolen.create(secret({"host": encoded(b"elsewhere.example")}), dry_run=True).must()


# --- resources ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def orders(admin: Api) -> Iterator[Document]:
    """The resource whose injection the attempts misuse. It lists one variable, one path, and the binding form."""
    selected: Document = {"kind": "Deployment", "selector": {}}
    document = listed(
        {"id": "env", **selected, "env": [{"name": "REDIS_URL", "key": "uri"}]},
        {"id": "files", **selected, "mountPath": "/etc/redis"},
        {"id": "named", "kind": "Deployment", "name": "elsewhere", "env": [{"name": "OTHER", "key": "uri"}]},
        {"id": "jobs", "kind": "CronJob", "selector": {}, "env": [{"name": "JOB_URL", "key": "uri"}]},
    )
    admin.apply(document).must()
    yield document
    admin.delete(document).must()


def annotated(name: str, value: str = "x") -> Document:
    return {"metadata": {"annotations": {f"secureredis.io/{name}": value}}}


PROVISION = {"location": "westeurope", "redis": {"sku": {"name": "Standard", "capacity": 1}}}
REQUESTS = sorted(name.removeprefix("secureredis.io/") for name in names.REQUESTS)
METADATA: list[tuple[str, Document]] = [
    *((f"D20 request {name}", annotated(name, "orders")) for name in REQUESTS),
    ("D20 an unknown request", annotated("future")),
    ("R18 an annotation of others", {"metadata": {"annotations": {"argocd.argoproj.io/sync-options": "Prune=true"}}}),
    ("R18 last-applied", {"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}}),
    ("R18 a label", {"metadata": {"labels": {"team": "evil"}}}),
    ("R18 a foreign finalizer", {"metadata": {"finalizers": ["evil.test/stay"]}}),
    ("R18 an owner", {"metadata": {"ownerReferences": [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "u"}]}}),
    ("R11 a false claim", annotated("operator", "elsewhere/other")),
    ("R11 a claim of a tenant", annotated("operator", f"{SHOP}/secure-redis-operator")),
    ("D19 the vault", {"spec": {"authentication": {"keyVault": {"uri": "https://evil.vault.azure.net"}}}}),
    ("D19 the Secret's name", {"spec": {"connection": {"secretName": "victim"}}}),
    ("D19 the mode", {"spec": {"mode": "Provision", "provision": PROVISION}}),
    ("D19 the workloads", {"spec": {"workloads": None}}),
    ("D19 the identity", {"spec": {"identity": {"serviceAccountName": "other"}}}),
    ("D19 the deletion policy", {"spec": {"connection": {"deletionPolicy": "Delete"}}}),
]  # fmt: skip


@pytest.mark.parametrize("change", [row[1] for row in METADATA], ids=[row[0] for row in METADATA])
def test_a_resource_belongs_to_its_author(stolen: Api, orders: Document, change: Document) -> None:
    answer = dry_merge(stolen, orders, change)
    assert answer.status == 403, answer.body
    assert "spec-belongs-to-author" in answer.message


@pytest.mark.legitimate
@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"finalizers": [names.FINALIZER], **annotated("operator", f"{RELEASE_NAMESPACE}/{OPERATOR}")["metadata"]}},
        annotated("secrets", "orders"),
    ],
    ids=["finalizer and claim", "names of Secrets"],
)  # fmt: skip
def test_finalizer_and_claim_are_set(stolen: Api, orders: Document, change: Document) -> None:
    dry_merge(stolen, orders, change).must()


@pytest.mark.listed
def test_a_status_is_written(stolen: Api, orders: Document) -> None:
    """docs/security.md: a stolen token can report anything. The design relies on no status for an irreversible step."""
    dry_merge(stolen, orders, {"status": {"observedGeneration": 7}}, "status").must()


# --- workloads ------------------------------------------------------------------------------------------------------

OTHER_LABEL = {**CONSENT, "labels": {names.INJECT: "false"}}
WITHOUT_CONSENT = [
    ("nothing", {}),
    ("no label", {"annotations": CONSENT["annotations"]}),
    ("no annotation", {"labels": CONSENT["labels"]}),
    ("label false", OTHER_LABEL),
    ("another resource", {**CONSENT, "annotations": {names.RESOURCES: "sessions"}}),
    ("a longer name", {**CONSENT, "annotations": {names.RESOURCES: "orders-2,my-orders"}}),
    ("a star", {**CONSENT, "annotations": {names.RESOURCES: "*"}}),
]
ADDITIONS = [("D11 env", env("REDIS_URL")), ("D09 mount", mount("/etc/redis"))]


@pytest.mark.parametrize(
    "metadata", [row[1] for row in WITHOUT_CONSENT], ids=[f"D08 {row[0]}" for row in WITHOUT_CONSENT]
)
@pytest.mark.parametrize("change", [row[1] for row in ADDITIONS], ids=[row[0] for row in ADDITIONS])
def test_a_workload_without_consent_is_not_changed(
    admin: Api, stolen: Api, orders: Document, metadata: Document, change: Document
) -> None:
    document = deployment(f"d-{next(_numbers)}", **metadata)
    admin.create(document).must()
    answer = send(stolen, document, change)
    assert answer.status == 403, answer.body
    assert "may inject only a workload that consents" in answer.message


@pytest.fixture(scope="module")
def web(admin: Api, stolen: Api, orders: Document) -> Document:
    """A Deployment that consents to `orders`."""
    document = deployment("web", **CONSENT)
    admin.apply(document).must()
    await_true(lambda: send(stolen, document, env("REDIS_URL")).ok, "the policies to know the resource")
    return document


@pytest.mark.legitimate
@pytest.mark.parametrize(
    "change",
    [env("REDIS_URL"), env("REDIS_URL", container="main"), mount("/etc/redis"), init(env("REDIS_URL")), init(mount("/etc/redis"))],
    ids=["env", "again", "mount", "env of an init container", "mount of an init container"],
)  # fmt: skip
def test_what_the_resource_lists_is_injected(stolen: Api, web: Document, change: Document) -> None:
    send(stolen, web, change).must()


VOLUME = "secureredis-orders"
ENV_NAMES = [
    *("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "PATH", "NODE_OPTIONS", "PYTHONPATH", "PYTHONSTARTUP", "PERL5OPT"),
    *("RUBYOPT", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "BASH_ENV", "ENV", "IFS", "PROMPT_COMMAND"),
    *("GCONV_PATH", "DOTNET_STARTUP_HOOKS", "CORECLR_PROFILER_PATH", "HTTP_PROXY", "https_proxy", "No_Proxy"),
    *("KUBERNETES_SERVICE_HOST", "GODEBUG", "GIT_SSH_COMMAND", "SSL_CERT_FILE", "AZURE_AUTHORITY_HOST"),
]
PATHS = [
    *("/etc", "/bin", "/sbin", "/lib", "/lib64", "/usr", "/usr/local/bin", "/proc", "/sys", "/dev", "/var", "/root"),
    *("/var/run/secrets/kubernetes.io/serviceaccount", "/run/secrets", "/etc/ssl/certs", "/etc/ld.so.conf.d", "/tmp"),
    *("/etc/profile.d", "/etc/pam.d", "/etc/cron.d", "/docker-entrypoint.d", "/home/app/.ssh", "/app", "/scratch/x"),
]
INJECTIONS: list[tuple[str, Document]] = [
    *((f"D11 {name}", env(name)) for name in ENV_NAMES),
    *((f"D09 mount at {path}", mount(path)) for path in PATHS),
    ("D11 a variable that is not listed", env("MY_URL")),
    ("D11 another entry of the Secret", env("REDIS_URL", "password")),
    ("D11 a variable of another workload", env("OTHER")),
    ("D11 a variable of another kind", env("JOB_URL")),
    ("D15 a variable from another Secret", env("REDIS_URL", secret="victim")),
    ("D15 another Secret as volume", mount("/etc/redis", {"name": VOLUME, "secret": {"secretName": "victim"}})),
    ("D15 another volume's name", mount("/etc/redis", {"name": "secureredis-x", "secret": {"secretName": "victim"}})),
    ("D15 a name without our prefix", mount("/etc/redis", {"name": "x", "secret": {"secretName": "orders"}})),
    ("D09 mode 0755", mount("/etc/redis", {"name": VOLUME, "secret": {"secretName": "orders", "defaultMode": 493}})),
    ("D09 setuid", mount("/etc/redis", {"name": VOLUME, "secret": {"secretName": "orders", "defaultMode": 2541 & 511}})),
    ("D09 items", mount("/etc/redis", {"name": VOLUME, "secret": {
        "secretName": "orders", "items": [{"key": "uri", "path": "run.sh"}]}})),
    ("D09 an item with a mode", mount("/etc/redis", {"name": VOLUME, "secret": {
        "secretName": "orders", "items": [{"key": "uri", "path": "x", "mode": 493}]}})),
    ("D09 optional", mount("/etc/redis", {"name": VOLUME, "secret": {"secretName": "orders", "optional": True}})),
    ("D09 projected", mount("/etc/redis", {"name": VOLUME, "projected": {"sources": [
        {"serviceAccountToken": {"path": "token"}}]}})),
    ("D16 hostPath", mount("/etc/redis", {"name": VOLUME, "hostPath": {"path": "/"}})),
    ("D16 configMap", mount("/etc/redis", {"name": VOLUME, "configMap": {"name": "c"}})),
    ("D16 csi", mount("/etc/redis", {"name": VOLUME, "csi": {"driver": "secrets-store.csi.k8s.io"}})),
    ("D16 emptyDir", mount("/etc/redis", {"name": VOLUME, "emptyDir": {}})),
    ("D16 subPath", mount("/etc/redis", subPath="uri")),
    ("D16 subPathExpr", mount("/etc/redis", subPathExpr="uri")),
    ("D16 writable", mount("/etc/redis", readOnly=False)),
    ("D16 propagation", mount("/etc/redis", mountPropagation="HostToContainer")),
    ("D09 dots in the path", mount("/etc/redis/../../bin")),
    ("D09 a double slash", mount("//bin")),
    ("D09 a slash at the end", mount("/bin/")),
    ("D16 a plain value", {"containers": [{"name": "main", "env": [{"name": "REDIS_URL", "value": "x"}]}]}),
    ("D16 another binding root", {"containers": [{"name": "main", "env": [
        {"name": "SERVICE_BINDING_ROOT", "value": "/usr"}]}]}),
    ("D16 from a ConfigMap", {"containers": [{"name": "main", "env": [
        {"name": "REDIS_URL", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]}]}),
    ("D16 from a field", {"containers": [{"name": "main", "env": [
        {"name": "REDIS_URL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}]}),
    ("D16 optional entry", {"containers": [{"name": "main", "env": [{"name": "REDIS_URL", "valueFrom": {
        "secretKeyRef": {"name": "orders", "key": "uri", "optional": True}}}]}]}),
    ("D16 envFrom", {"containers": [{"name": "main", "envFrom": [{"secretRef": {"name": "orders"}}]}]}),
    ("D16 delete a plain variable", {"containers": [{"name": "main", "env": [{"name": "MODE", "$patch": "delete"}]}]}),
    ("D16 delete a variable from a tenant's Secret", {"containers": [{"name": "main", "env": [
        {"name": "OWN", "$patch": "delete"}]}]}),
    ("D16 a tenant's variable from ours", env("OWN")),
    ("D16 a tenant's variable, another entry", env("OWN", "k2", "victim")),
    ("D16 delete a tenant's volume", {"volumes": [{"name": "own", "$patch": "delete"}]}),
    ("D16 a tenant's volume from ours", {"volumes": [{"name": "own", "secret": {"secretName": "orders"}}]}),
    ("D16 delete a tenant's mount", {"containers": [{"name": "main", "volumeMounts": [
        {"mountPath": "/scratch", "$patch": "delete"}]}]}),
    ("D16 mount a tenant's volume", {"containers": [{"name": "main", "volumeMounts": [
        {"name": "own", "mountPath": "/etc/redis", "readOnly": True}]}]}),
    ("D11 a variable that is not listed, in an init container", init(env("MY_URL"))),
    ("D15 a variable from another Secret, in an init container", init(env("REDIS_URL", secret="victim"))),
    ("D09 mount at a path that is not listed, in an init container", init(mount("/app"))),
    ("D16 writable, in an init container", init(mount("/etc/redis", readOnly=False))),
    ("D16 a tenant's volume, in an init container", {"initContainers": [{"name": "first", "volumeMounts": [
        {"name": "own", "mountPath": "/etc/redis", "readOnly": True}]}]}),
    ("D16 a plain value, in an init container", {"initContainers": [{"name": "first", "env": [
        {"name": "REDIS_URL", "value": "x"}]}]}),
    ("D16 image", {"containers": [{"name": "main", "image": "evil.test/x"}]}),
    ("D16 command", {"containers": [{"name": "main", "command": ["sh"]}]}),
    ("D16 args", {"containers": [{"name": "main", "args": ["-c", "evil"]}]}),
    ("D16 a lifecycle hook", {"containers": [{"name": "main", "lifecycle": {"postStart": {"exec": {"command": ["x"]}}}}]}),
    ("D16 a probe", {"containers": [{"name": "main", "livenessProbe": {"exec": {"command": ["x"]}}}]}),
    ("D16 a new container", {"containers": [{"name": "evil", "image": "evil.test/x"}]}),
    ("D16 a new init container", {"initContainers": [{"name": "evil", "image": "evil.test/x"}]}),
    ("D16 privileged", {"containers": [{"name": "main", "securityContext": {"privileged": True}}]}),
    ("D16 ServiceAccount", {"serviceAccountName": "default"}),
    ("D16 token of the ServiceAccount", {"automountServiceAccountToken": True}),
    ("D16 host network", {"hostNetwork": True}),
    ("D16 host PID", {"hostPID": True}),
    ("D16 shared processes", {"shareProcessNamespace": True}),
    ("D16 pull Secrets", {"imagePullSecrets": [{"name": "victim"}]}),
    ("D16 another node", {"nodeName": "control-plane"}),
    ("D16 runtime class", {"runtimeClassName": "evil"}),
    ("D16 host aliases", {"hostAliases": [{"ip": "192.0.2.1", "hostnames": ["orders"]}]}),
    ("D16 DNS", {"dnsConfig": {"nameservers": ["192.0.2.1"]}}),
]  # fmt: skip


@pytest.mark.parametrize("change", [row[1] for row in INJECTIONS], ids=[row[0] for row in INJECTIONS])
def test_a_consenting_workload_gets_nothing_else(stolen: Api, web: Document, change: Document) -> None:
    answer = send(stolen, web, change)
    assert answer.status in (403, 422), answer.body
    assert answer.status == 403 or "Invalid value" in answer.message or "Required value" in answer.message


MANAGERS = [
    ("another resource's name", "secureredis.io/sessions"),
    ("no resource", "secureredis.io/"),
    ("another manager", "kubectl"),
    ("the operator's own", names.FIELD_MANAGER),
    ("a longer name", "secureredis.io/orders-2"),
    ("a name in upper case", "secureredis.io/Orders"),
]


@pytest.mark.parametrize("manager", [row[1] for row in MANAGERS], ids=[f"R07 {row[0]}" for row in MANAGERS])
def test_a_change_is_made_in_the_name_of_a_resource_that_the_workload_consents_to(
    stolen: Api, web: Document, manager: str
) -> None:
    assert send(stolen, web, env("REDIS_URL"), manager).status == 403


def test_a_false_entry_of_managed_fields_is_refused(admin: Api, stolen: Api, web: Document) -> None:
    """R07: the token claims a tenant's variable in managedFields and removes it in the same request or the next."""
    now = admin.get(path_of(web)).must()
    field: Document = {"f:env": {'k:{"name":"OWN"}': {".": {}, "f:name": {}, "f:valueFrom": {"f:secretKeyRef": {}}}}}
    containers: Document = {'k:{"name":"main"}': {".": {}, "f:name": {}, **field}}
    claimed = {
        "manager": MANAGER,
        "operation": "Update",
        "apiVersion": "apps/v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": containers}}}},
    }
    body = {"metadata": {"managedFields": [*now["metadata"]["managedFields"], claimed]}}
    query = {"fieldManager": MANAGER, "dryRun": "All"}
    kind = "application/merge-patch+json"
    assert stolen.call("PATCH", path_of(web), body, kind=kind, query=query).status == 403
    both = {
        **body,
        "spec": {"template": {"spec": {"containers": [{**_main(now), "env": [{"name": "MODE", "value": "calm"}]}]}}},
    }
    assert stolen.call("PATCH", path_of(web), both, kind=kind, query=query).status == 403


def _main(document: Document) -> Document:
    found: Document = document["spec"]["template"]["spec"]["containers"][0]
    return found


AROUND: list[tuple[str, Document]] = [
    ("D17 AppArmor", {"spec": {"template": {"metadata": {"annotations": {
        "container.apparmor.security.beta.kubernetes.io/main": "unconfined"}}}}}),
    ("D17 a template's annotation", {"spec": {"template": {"metadata": {"annotations": {"sidecar.istio.io/inject": "false"}}}}}),
    ("D18 another resource's annotation", {"spec": {"template": {"metadata": {"annotations": {
        "sidecar.secureredis.io/inject": "x"}}}}}),
    ("D18 another annotation of the resource", {"spec": {"template": {"metadata": {"annotations": {
        "orders.secureredis.io/other": "x"}}}}}),
    ("D18 a long version", {"spec": {"template": {"metadata": {"annotations": {
        "orders.secureredis.io/version": "x" * 5000}}}}}),
    ("D18 a version with markup", {"spec": {"template": {"metadata": {"annotations": {
        "orders.secureredis.io/version": "<script>\n"}}}}}),
    ("D16 template labels", {"spec": {"template": {"metadata": {"labels": {"azure.workload.identity/use": "true"}}}}}),
    ("D16 replicas", {"spec": {"replicas": 50}}),
    ("D16 paused", {"spec": {"paused": True}}),
    ("D16 strategy", {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}}),
    ("D16 deadline", {"spec": {"progressDeadlineSeconds": 1000}}),
    ("D17 metadata annotation", {"metadata": {"annotations": {"x": "y"}}}),
    ("D17 consent to more", {"metadata": {"annotations": {names.RESOURCES: "orders,sessions"}}}),
    ("D17 label", {"metadata": {"labels": {"x": "y"}}}),
    ("D17 finalizer", {"metadata": {"finalizers": ["evil.test/stay"]}}),
    ("D17 owner", {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "u"}]}}),
]  # fmt: skip


@pytest.mark.parametrize("change", [row[1] for row in AROUND], ids=[row[0] for row in AROUND])
def test_nothing_around_the_pods_changes(stolen: Api, web: Document, change: Document) -> None:
    query = {"fieldManager": MANAGER, "dryRun": "All"}
    answer = stolen.call("PATCH", path_of(web), change, kind="application/merge-patch+json", query=query)
    assert answer.status == 403, answer.body


@pytest.mark.legitimate
def test_an_injection_can_be_removed_after_the_consent_was_withdrawn(admin: Api, stolen: Api, orders: Document) -> None:
    document = deployment(f"d-{next(_numbers)}", **CONSENT)
    admin.create(document).must()
    await_true(lambda: send(stolen, document, env("REDIS_URL")).ok, "the policies to know the resource")
    send(stolen, document, env("REDIS_URL"), dry_run=False).must()
    send(stolen, document, mount("/etc/redis"), dry_run=False).must()
    admin.merge(document, {"metadata": {"labels": None, "annotations": None}}).must()
    removed = {
        "volumes": [{"name": VOLUME, "$patch": "delete"}],
        "containers": [
            {
                "name": "main",
                "env": [{"name": "REDIS_URL", "$patch": "delete"}],
                "volumeMounts": [{"mountPath": "/etc/redis", "$patch": "delete"}],
            }
        ],
    }
    send(stolen, document, removed, dry_run=False).must()
    assert send(stolen, document, env("REDIS_URL")).status == 403


# --- what remains ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def to_gone(admin: Api, web: Document) -> Document:
    """A Deployment that consents to a name that no resource of the namespace has."""
    document = deployment("to-gone", labels=CONSENT["labels"], annotations={names.RESOURCES: "gone"})
    admin.apply(document).must()
    return document


@pytest.mark.listed
@pytest.mark.parametrize("place", [dict, init], ids=["container", "init container"])
def test_a_name_without_a_resource_is_bounded_by_consent_alone(
    stolen: Api, to_gone: Document, place: Callable[[Document], Document]
) -> None:
    """docs/security.md: where a workload consents to a name that no resource of the namespace has."""
    send(stolen, to_gone, place(env("ANY_NAME", "k", "victim")), "secureredis.io/gone").must()
    send(stolen, to_gone, place(mount("/any/path")), "secureredis.io/gone").must()


@pytest.mark.parametrize("place", [dict, init], ids=["container", "init container"])
@pytest.mark.parametrize("change", [env("LD_PRELOAD"), mount("/etc")], ids=["D11 LD_PRELOAD", "D09 /etc"])
def test_the_refused_names_hold_without_a_resource(
    stolen: Api, to_gone: Document, change: Document, place: Callable[[Document], Document]
) -> None:
    answer = send(stolen, to_gone, place(change), "secureredis.io/gone")
    assert answer.status == 403, answer.body
    assert "docs/refused-names.md" in answer.message


@pytest.mark.listed
def test_an_event_is_written_anywhere(stolen: Api) -> None:
    """docs/security.md (D22): an event can name any object and any reporter."""
    metadata = {"name": f"e-{next(_numbers)}", "namespace": "kube-system"}
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": metadata,
        "source": {"component": "kubelet"},
        "reason": "Evil",
        "type": "Normal",
        "involvedObject": {"kind": "Pod", "namespace": "kube-system", "name": "any"},
    }
    stolen.create(event, dry_run=True).must()


@pytest.mark.listed
def test_a_lease_of_its_own_namespace_is_created(stolen: Api) -> None:
    """docs/security.md (D23): RBAC cannot bound the name of what is created."""
    metadata = {"name": f"l-{next(_numbers)}", "namespace": RELEASE_NAMESPACE}
    stolen.create({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}, dry_run=True).must()


def test_a_resource_of_another_namespace_bounds_nothing_here(admin: Api, stolen: Api, web: Document) -> None:
    """R07: only the resources of the workload's own namespace are its sources."""
    document = resource("sessions", PRIVATE)
    admin.apply(document).must()
    assert send(stolen, web, env("REDIS_URL"), "secureredis.io/sessions").status == 403
    admin.delete(document).must()
