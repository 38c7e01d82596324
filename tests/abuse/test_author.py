"""An author cannot make the operator do anything that the author could not do without it.

The spec is refused by the schema (server dry-run as administrator, so that no permission is missing), or by the policy
on authors (as a user with few permissions).
"""

import itertools

import pytest

from sandbox.api import Api, Document, path_of
from secure_redis.api import names
from tests.abuse.conftest import PRIVATE, SHOP
from tests.abuse.requests import KEY_VAULT, RESOURCE_ID, dry_merge, listed, resource
from tests.abuse.test_stolen_token import ENV_NAMES, PATHS
from tests.integration.admission.test_authors import CACHES, give, secrets, tokens

# Tables: one attempt a line, however long.
# ruff: noqa: E501, S108
_numbers = itertools.count()


def vault(uri: str) -> Document:
    return resource(authentication={"keyVault": {"uri": uri, "secretName": "x"}})


def identified(resource_id: str) -> Document:
    return resource(resourceID=resource_id)


def injecting(name: str) -> Document:
    return listed({"id": "web", "kind": "Deployment", "name": "web", "env": [{"name": name, "key": "uri"}]})


def mounting(path: str) -> Document:
    return listed({"id": "web", "kind": "Deployment", "name": "web", "mountPath": path})


GROUP = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop"
REPLICATORS = [
    "reflector.v1.k8s.emberstack.com/reflection-allowed",
    "reflector.v1.k8s.emberstack.com/reflection-auto-enabled",
    "replicator.v1.mittwald.de/replicate-to",
    "replicator.v1.mittwald.de/replication-allowed",
    "kubed.appscode.com/sync",
    "reflector.havulv.io/reflect",
    "clustersecret.io/synced-by",
    "replizieren.dev/replicate",
    "synator/sync",
    "propagate.hnc.x-k8s.io/treeSelect",
    "multicluster.admiralty.io/elect",
    "cluster.open-cluster-management.io/backup",
    "field.cattle.io/projectId",
    "cert-manager.io/allow-direct-injection",
    "sealedsecrets.bitnami.com/managed",
    "meta.helm.sh/release-name",
    "kustomize.toolkit.fluxcd.io/reconcile",
    "argocd.argoproj.io/tracking-id",
    "kubectl.kubernetes.io/last-applied-configuration",
    "secureredis.io/resource",
]
REFUSED: list[tuple[str, Document]] = [
    *((f"A01 vault {uri!r}", vault(uri)) for uri in (
        "http://shop.vault.azure.net", "https://user@shop.vault.azure.net", "https://user:x@shop.vault.azure.net",
        "https://shop.vault.azure.net#evil.example", "https://shop.vault.azure.net/secrets/x",
        "https://shop.vault.azure.net:443:443", "https://shop.vault.azure.net?x=y", "https://[::1]", "https://",
        "https://shop.vault.azure.net\n.evil.example", " https://shop.vault.azure.net", "ftp://shop.vault.azure.net",
        "https://shop.vault.azure.net\\@evil.example", "shop.vault.azure.net", "https://shop.vault.azure.net/..",
        "https://shop.vault.azure.net%2f@evil.example", "javascript:alert(1)", "file:///etc/passwd",
    )),
    *((f"A03 resourceID {one!r}", identified(one)) for one in (
        f"{GROUP}/providers/Microsoft.Cache/redis/..", f"{GROUP}/providers/Microsoft.Cache/redis/a%2fb",
        f"{RESOURCE_ID}/", f"{RESOURCE_ID}?x=y", f"{RESOURCE_ID}#x", f"{RESOURCE_ID}/keys", f"{RESOURCE_ID}\n",
        f"{GROUP}/../other/providers/Microsoft.Cache/redis/orders", f"//evil.example{RESOURCE_ID}",
        f"{GROUP}/providers/Microsoft.Storage/storageAccounts/orders", f"{GROUP}/providers/Microsoft.Cache/redis/-a",
        "/subscriptions/x/resourceGroups/shop/providers/Microsoft.Cache/redis/orders", RESOURCE_ID.replace("/redis/", "//redis/"),
    )),
    *((f"G04 env {name}", injecting(name)) for name in ENV_NAMES),
    *((f"G04 env {name}", injecting(name)) for name in (
        "PYTHONHOME", "PERL5LIB", "RUBYLIB", "LUA_PATH", "PHPRC", "CLASSPATH", "npm_config_registry", "PIP_INDEX_URL",
        "OPENSSL_CONF", "SSLKEYLOGFILE", "KUBECONFIG", "KUBERNETES_PORT", "all_proxy", "SHELLOPTS", "PS4", "HOME",
        "LD_DEBUG", "GLIBC_TUNABLES", "ERL_FLAGS", "R_PROFILE_USER", "COMPlus_EnableDiagnostics", "SERVICE_BINDING_ROOT",
    )),
    *((f"G05 mountPath {path}", mounting(path)) for path in PATHS if path not in ("/app", "/scratch/x")),
    *((f"G05 mountPath {path}", mounting(path)) for path in (
        "/lib32", "/usr/share/ca-certificates", "/boot", "/dev/shm", "/proc/self", "/sys/fs/cgroup", "/var/run",
        "/run/systemd", "/var/lib/kubelet", "/etc/ssh", "/etc/sudoers.d", "/etc/nsswitch.conf", "/etc/systemd/system",
        "/docker-entrypoint-initdb.d", "/entrypoint.d", "/home", "/home/app", "/app/.kube", "/app/.ssh", "/opt",
    )),
    *((f"G07 mountPath {path!r}", mounting(path)) for path in (
        "/data/../bin", "/./bin", "//bin", "/bin/", "/data/..", "/", "data", "", "/data:ro", "/data//x", "../x",
    )),
    *((f"R19 annotation {name}", listed(annotations={name: "true"})) for name in REPLICATORS),
    *((f"R19 label {name}", listed(labels={name: "true"})) for name in REPLICATORS),
    ("A07 a name of another namespace", listed(secretName=f"{PRIVATE}/orders")),
    ("A07 a path as the Secret's name", listed(secretName="../orders")),
    ("A09 a plaintext entry", listed(keys={"REDIS": "redis"})),
    ("A09 a plaintext template", listed(template={"url": "redis://{host}:6379"})),
    ("A09 code in a template", listed(template={"run.sh": "#!/bin/sh\nexec evil"})),
    ("A09 text in a template", listed(template={"app.py": "import os"})),
    ("A09 another option in a template", listed(template={"u": "rediss://{host}:{port}?ssl_cert_reqs=none"})),
    ("A09 a path as an entry's name", listed(keys={"../../etc/passwd": "uri"})),
    ("A09 dots as an entry's name", listed(keys={"..data": "uri"})),
    ("A09 a standard entry's name", listed(keys={"type": "host"})),
    ("A01 another ServiceAccount's namespace", resource(identity={"serviceAccountName": f"{PRIVATE}/orders"})),
    ("G04 a variable with a space", injecting("A B")),
    ("G04 a variable with an equals sign", injecting("A=B")),
]  # fmt: skip


@pytest.mark.parametrize("document", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_the_schema_refuses(admin: Api, document: Document) -> None:
    answer = admin.create(document, dry_run=True)
    assert answer.status == 422, answer.body
    assert "spec." in answer.message


@pytest.mark.legitimate
@pytest.mark.parametrize(
    "document",
    [
        *(
            injecting(name)
            for name in ("REDIS_URL", "PYTHON_REDIS_URL", "CACHE_PATH", "APP_HOME", "SPRING_DATA_REDIS_URL")
        ),
        *(
            mounting(path)
            for path in ("/etc/redis", "/bindings/redis", "/app/config/redis", "/home/app/redis", "/data")
        ),
        listed(
            annotations={"reloader.stakater.com/match": "true", "example.com/team": "shop"}, labels={"team": "shop"}
        ),
        vault("https://shop.vault.azure.net/"),
        identified(RESOURCE_ID.upper()),
    ],
    ids=lambda document: str(document["spec"])[-60:],
)
def test_what_is_usual_is_accepted(admin: Api, document: Document) -> None:
    admin.create(document, dry_run=True).must()


# --- permissions ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def author(admin: Api) -> Api:
    """A user who may write resources, use the ServiceAccount `orders` and publish the Secret `orders`, and no more."""
    user = f"abuse-author-{next(_numbers)}"
    give(admin, user, SHOP, CACHES, tokens("orders"), secrets("orders", "get", "create", "patch"))
    return admin.named(user)


OWN: Document = {"identity": {"serviceAccountName": "orders"}, "authentication": KEY_VAULT}
STORAGE = {
    "type": "RDB",
    "storage": {
        "accountID": f"{GROUP}/providers/Microsoft.Storage/storageAccounts/shopdata",
        "authentication": "ConnectionString",
        "connectionStringSecretRef": {"name": "victim"},
    },
}
FOREIGN: list[tuple[str, Document]] = [
    ("A04 another ServiceAccount", {**OWN, "identity": {"serviceAccountName": "other"}}),
    ("A04 the default ServiceAccount", {"authentication": KEY_VAULT}),
    ("A04 the default ServiceAccount by name", {**OWN, "identity": {"serviceAccountName": "secure-redis"}}),
    ("A04 an empty identity", {**OWN, "identity": {}}),
    ("A04 another Secret", {**OWN, "connection": {"secretName": "victim"}}),
    ("A04 a storage Secret", {**OWN, "persistence": STORAGE}),
    *((f"A04 a {kind}", {**OWN, "workloads": [{"id": "w", "kind": kind, "selector": {}}]})
      for kind in ("Deployment", "StatefulSet", "DaemonSet", "CronJob")),
]  # fmt: skip


@pytest.mark.parametrize("spec", [row[1] for row in FOREIGN], ids=[row[0] for row in FOREIGN])
def test_the_author_lends_no_rights(author: Api, spec: Document) -> None:
    answer = author.create(resource(**spec), dry_run=True)
    assert answer.status == 403, answer.body
    assert "resource-authors" in answer.message


def test_the_name_of_the_resource_is_the_name_of_the_secret(author: Api) -> None:
    """A04: without `secretName`, the resource's own name counts."""
    assert author.create(resource("victim", **OWN), dry_run=True).status == 403


def test_another_namespace_is_closed(author: Api) -> None:
    """A04: permissions in one namespace give none in another."""
    assert author.create(resource(space=PRIVATE, **OWN), dry_run=True).status == 403


@pytest.mark.legitimate
def test_the_author_uses_what_is_the_authors(author: Api) -> None:
    author.create(resource(**OWN), dry_run=True).must()


# --- status and claim -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reporter(admin: Api) -> Api:
    """A user who may write resources and their status, as an administrator of a namespace may be allowed to."""
    user = f"abuse-reporter-{next(_numbers)}"
    status = {**CACHES, "resources": [f"{names.PLURAL}/status"]}
    give(admin, user, SHOP, CACHES, status, tokens("orders"), secrets("claimed", "get", "create", "patch"))
    return admin.named(user)


@pytest.fixture(scope="module")
def claimed(admin: Api) -> Document:
    """A resource that exists."""
    document = resource("claimed", **OWN)
    admin.apply(document).must()
    return document


STATUSES: list[tuple[str, Document]] = [
    ("G01 rotation", {"rotation": {"phase": "Intended", "request": "emergency-x", "target": "Secondary"}}),
    ("G01 conditions", {"conditions": []}),
    ("G01 a true condition", {"conditions": [{
        "type": "TransportSecured", "status": "True", "reason": "Secured", "message": "x",
        "lastTransitionTime": "2026-01-01T00:00:00Z"}]}),
    ("G01 generation", {"observedGeneration": 1}),
    ("G01 nothing", {}),
    ("G01 removed", {"rotation": None}),
]  # fmt: skip


@pytest.mark.parametrize("status", [row[1] for row in STATUSES], ids=[row[0] for row in STATUSES])
@pytest.mark.parametrize("who", ["author", "administrator"])
def test_nobody_else_writes_a_status(admin: Api, reporter: Api, claimed: Document, who: str, status: Document) -> None:
    api = admin if who == "administrator" else reporter
    # A change without effect never reaches admission, so each differs from the rest.
    body = {"status": {**status, "observedGeneration": status.get("observedGeneration", 0) + 100}}
    answer = dry_merge(api, claimed, body, "status")
    assert answer.status == 403, answer.body
    assert "only the operator writes the status" in answer.message


CLAIMS = [
    ("R11 another install", "elsewhere/other"),
    ("R11 a Lease of one's own", f"{SHOP}/secure-redis-operator"),
    ("R11 another name", "secure-redis-system/other"),
    ("R11 no name", "secure-redis-system/"),
    ("R11 nonsense", "x"),
]


@pytest.mark.parametrize("claim", [row[1] for row in CLAIMS], ids=[row[0] for row in CLAIMS])
@pytest.mark.parametrize("how", ["patch", "create"])
def test_nobody_else_claims_a_resource(reporter: Api, claimed: Document, how: str, claim: str) -> None:
    body = {"metadata": {"annotations": {names.OPERATOR: claim}}}
    if how == "patch":
        answer = dry_merge(reporter, claimed, body)
    else:
        document = resource("made", identity=OWN["identity"])
        document["metadata"] |= body["metadata"]
        answer = reporter.create(document, dry_run=True)
    assert answer.status == 403, answer.body
    assert "only the operator sets the annotation secureredis.io/operator" in answer.message


@pytest.mark.legitimate
def test_a_claim_can_be_removed_and_restored(admin: Api, stolen: Api, reporter: Api, claimed: Document) -> None:
    claim = {"metadata": {"annotations": {names.OPERATOR: "secure-redis-system/secure-redis-operator"}}}
    stolen.call("PATCH", path_of(claimed), claim, kind="application/merge-patch+json").must()
    dry_merge(reporter, claimed, {"metadata": {"annotations": {"team": "shop"}}}).must()
    reporter.merge(claimed, {"metadata": {"annotations": {names.OPERATOR: None}}}).must()
    dry_merge(reporter, claimed, claim).must()
