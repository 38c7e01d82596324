"""The commands of the migration guides, each page in one shell, in a sandbox that all of them share.

The tool from which a page migrates does not run. Its kinds are there without a controller, and its Secret is as it
makes it. So these tests show what kubectl, the API server and the operator do, and not what that tool does.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_tutorial import ROOT, SECONDS, blocks, run, shown_only_on_the_page, users_shell

HOW_TO = ROOT / "docs/how-to"

SANDBOX = f'sandbox() {{ {ROOT}/sandbox.sh --name migration "$@"; }}\n'
UP = """
eval "$(sandbox up)"
eval "$(sandbox env)"
sandbox seed examples
kubectl apply -f examples/namespace-consent.yaml
"""
# The objects that a page expects. `OLD` is the Secret of the other tool, `OWNER` the object that owns it.
WORLD = r"""
eval "$(sandbox env)"
kind() {  # group kind plural: an object of the other tool, without its controller
  kubectl apply -f - <<END
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: $3.$1
spec:
  group: $1
  scope: Namespaced
  names: {kind: $2, plural: $3}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties: {spec: {type: object, x-kubernetes-preserve-unknown-fields: true}}
END
  kubectl wait "crd/$3.$1" --for=condition=Established
}
owns() {  # resource name: it becomes the owner of the Secret orders-redis, as the other tool makes it
  kubectl -n shop patch secret orders-redis --type=merge --output=name --patch "$(
    kubectl -n shop get "$1" "$2" -o json | jq '{metadata: {
      ownerReferences: [{apiVersion, kind, name: .metadata.name, uid: .metadata.uid, controller: true}]
    }}')"
}
refreshes() {  # the other tool reads the vault: the key goes from one Secret to the other and is not printed
  kubectl -n shop patch secret orders-redis --type=merge --output=name --patch "$(
    kubectl -n shop get secret orders -o json | jq --arg key "$1" '{data: {($key): .data.password}}')"
}
application() {  # name, the container's env, the pod's volumes
  kubectl apply -f - <<END
apiVersion: apps/v1
kind: Deployment
metadata:
  name: $1
  namespace: shop
spec:
  selector: {matchLabels: {app: $1}}
  template:
    metadata: {labels: {app: $1}}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 1
      containers:
        - name: app
          image: sandbox.test/sleep
          env: [${2:-}]
      volumes: [${3:-}]
END
}
former() { former=$(kubectl -n shop get pods --selector="app=$1" -o name); }
ended() { kubectl -n shop wait $former --for=delete --timeout=1m; }
FROM_SECRET='{name: REDIS_PASSWORD, valueFrom: {secretKeyRef: {name: orders-redis, key: redis-key}}}'
"""
# Each page finds the namespace as the first one did, whatever became of the page before.
CLEAN = """
kubectl -n shop delete deployments,srcache --all
kubectl -n shop delete secret --all
"""


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a shell in which the sandbox `migration` runs."""
    with users_shell() as environment:
        run(SANDBOX + UP, environment, tmp_path_factory.mktemp("up") / "output")
        yield environment


def section(page: Path, title: str) -> list[str]:
    """The commands below a heading of a page, one text for each block."""
    text = page.read_text(encoding="utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]
    return [block.replace("vault.azure.net", "$VAULT_SUFFIX") for block in blocks(text, "sh")]


def without_azure(block: str) -> str:
    """The block without its commands for azure-cli."""
    return re.sub(r"^( *)(?:[A-Z_]+='|az )(?:.*\\\n)*.*\n", "", block, flags=re.MULTILINE)


def printed_nothing(commands: str) -> str:
    """A command that the page says prints nothing."""
    return f'left=$({commands}\n)\necho "left: [$left]"'


def follow(page: Path, steps: list[str], shell: dict[str, str], tmp_path: Path) -> list[str]:
    """Run the steps in one shell, elsewhere than in the repository. Returns the lines that were printed."""
    script = [SANDBOX + WORLD, CLEAN, f"cd {tmp_path}", *steps]
    printed = run("\n".join(script), shell, tmp_path / "output")
    assert shown_only_on_the_page(printed, page) == []
    lines = printed.splitlines()
    assert {line for line in lines if line.startswith("left: ")} <= {"left: []"}
    return lines


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
def test_external_secrets(shell: dict[str, str], tmp_path: Path) -> None:
    """Both ways, each with its way back, and then the first way to its end."""
    page = HOW_TO / "migrate-external-secrets.md"
    (names,) = section(page, "Before you begin")
    check_owner, publish, compare = section(page, "Publish beside ESO")
    switch, verify, undo, end = section(page, "Way A: a new name")
    save, orphan, replace, adopt, restart, remove, restore = section(page, "Way B: the same name")
    before = """
kind external-secrets.io ExternalSecret externalsecrets
kubectl apply -f - <<END
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: orders-redis, namespace: shop}
spec: {target: {name: orders-redis, creationPolicy: Owner, deletionPolicy: Delete}}
END
kubectl -n shop create secret generic orders-redis --from-literal=redis-key=former
owns externalsecret orders-redis
application checkout "$FROM_SECRET"
kubectl -n shop rollout status deployment checkout --timeout=2m
"""
    pods = """
echo "pods: $(kubectl -n shop get pods --selector=app=checkout \
  -o jsonpath='{range .items[*]}{.metadata.uid} {.status.containerStatuses[*].restartCount};{end}')"
"""
    entries = """
echo "entries: $(kubectl -n shop get secret orders-redis \
  -o go-template='{{.type}}{{range $name, $value := .data}} {{$name}}{{end}}')"
"""
    way_a = ["former checkout", switch, "ended", printed_nothing(verify)]
    way_b = [save, pods, orphan, replace, adopt, pods, entries, restart, remove, restore, entries]
    steps = [before, names, check_owner, publish, "refreshes redis-key", compare]
    steps += [*way_a, "former checkout", undo, "ended", *way_b]
    steps += ["owns externalsecret orders-redis", *way_a, end, "! kubectl -n shop get secret orders-redis"]
    lines = follow(page, steps, shell, tmp_path)
    assert lines.count("left: []") == 2
    at_first, adopted_meanwhile = [line for line in lines if line.startswith("pods: ")]
    assert at_first == adopted_meanwhile  # the same pod, and its container did not restart
    adopted, restored = [line.split()[1:] for line in lines if line.startswith("entries: ")]
    assert adopted[0] == "servicebinding.io/redis"
    assert {"redis-key", "password", "uri"} <= set(adopted[1:])
    assert restored == ["Opaque", "redis-key"]


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
def test_akv2k8s(shell: dict[str, str], tmp_path: Path) -> None:
    """A workload of the Controller, and then one of the Env Injector."""
    page = HOW_TO / "migrate-akv2k8s.md"
    (names,) = section(page, "Before you begin")
    publish, compare, switch, verify, end, unlabel = section(page, "Steps")
    (look,) = section(page, "Verify")
    before = """
kind spv.no AzureKeyVaultSecret azurekeyvaultsecrets
kubectl apply -f - <<END
apiVersion: spv.no/v1
kind: AzureKeyVaultSecret
metadata: {name: orders-key, namespace: shop}
spec: {output: {secret: {name: orders-redis, dataKey: redis-key}}}
END
kubectl label namespace shop azure-key-vault-env-injection=enabled
kubectl -n shop create secret generic orders-redis --from-literal=redis-key=former
owns azurekeyvaultsecret orders-key
application checkout "$FROM_SECRET"
application injected '{name: REDIS_PASSWORD, value: "orders-key@azurekeyvault"}'
kubectl -n shop rollout status deployment checkout --timeout=2m
kubectl -n shop rollout status deployment injected --timeout=2m
"""
    steps = [before, names, publish, "refreshes redis-key", compare]
    steps += ["former checkout", switch, "ended", "DEPLOYMENT=injected", "former injected", switch, "ended"]
    steps += [printed_nothing(verify), end, "kubectl -n shop wait secret/orders-redis --for=delete --timeout=1m"]
    lines = follow(page, [*steps, unlabel, look], shell, tmp_path)
    assert lines.count("left: []") == 1


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
def test_csi_driver(shell: dict[str, str], tmp_path: Path) -> None:
    """A workload with files and with a variable from the synced Secret. Its first pod waits for the driver."""
    page = HOW_TO / "migrate-csi-driver.md"
    (names,) = section(page, "Before you begin")
    publish, compare, replace, switch, rollout, verify, end = section(page, "Steps")
    (look,) = section(page, "Verify")
    before = """
kind secrets-store.csi.x-k8s.io SecretProviderClass secretproviderclasses
kubectl apply -f - <<END
apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata: {name: orders, namespace: shop}
spec: {provider: azure, secretObjects: [{secretName: orders-redis, data: [{key: redis-key, objectName: redis-key}]}]}
END
kubectl -n shop create secret generic orders-redis --from-literal=redis-key=former
application checkout "$FROM_SECRET" '{name: secrets-store,
  csi: {driver: secrets-store.csi.k8s.io, readOnly: true, volumeAttributes: {secretProviderClass: orders}}}'
kubectl -n shop wait pod --selector=app=checkout --for=create --timeout=1m
"""
    volumes = "kubectl -n shop get deployment checkout -o json | jq -ce '.spec.template.spec.volumes'"
    steps = [before, names, publish, "refreshes redis-key", compare, "former checkout", replace, switch, rollout]
    steps += [volumes, "ended", printed_nothing(verify), end, "! kubectl -n shop get secret orders-redis", look]
    lines = follow(page, steps, shell, tmp_path)
    assert lines.count("left: []") == 1
    (volume,) = [line for line in lines if line.startswith('[{"name":"secrets-store"')]
    assert '"secretName":"orders"' in volume
    assert "csi" not in volume


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
def test_azure_service_operator(shell: dict[str, str], tmp_path: Path) -> None:
    """The operator publishes beside ASO, and then adopts the cache."""
    page = HOW_TO / "migrate-aso.md"
    (names,) = section(page, "Before you begin")
    protect, store, publish, switch, end_export = section(page, "Publish beside ASO")
    skip, declare, correct, adopt, delete = section(page, "Take the cache over")
    (look,) = section(page, "Verify")
    before = """
kind cache.azure.com Redis redis
kind cache.azure.com RedisFirewallRule redisfirewallrules
kind cache.azure.com RedisPatchSchedule redispatchschedules
kubectl apply -f - <<END
apiVersion: cache.azure.com/v1
kind: Redis
metadata: {name: orders, namespace: shop}
spec: {operatorSpec: {secrets: {primaryKey: {name: orders-redis, key: primary-key}}}}
---
apiVersion: cache.azure.com/v1
kind: RedisFirewallRule
metadata: {name: office, namespace: shop}
spec: {owner: {name: orders}}
END
kubectl -n shop create secret generic orders-redis --from-literal=primary-key=former
owns redis.cache.azure.com orders
application checkout "${FROM_SECRET/redis-key/primary-key}"
kubectl -n shop rollout status deployment checkout --timeout=2m
"""
    assert without_azure(store) == ""
    switch = switch.replace("[ ", "refreshes primary-key\n[ ", 1)
    steps = [before, names, protect, publish, "former checkout", switch, "ended", end_export]
    steps += [skip, declare, correct, adopt, delete, without_azure(look)]
    lines = follow(page, steps, shell, tmp_path)
    listed = ("Deployment/", "Pod/", "Redis/", "RedisFirewallRule/")  # what still uses the Secret, or lacks `skip`
    assert not [line for line in lines if line.startswith(listed)]


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
def test_classic_to_managed(shell: dict[str, str], tmp_path: Path) -> None:
    """A workload with a variable of its own, and one that the operator injects, move to a Managed Redis."""
    page = HOW_TO / "classic-to-managed.md"
    (names,) = section(page, "Before you begin")
    create, wait, reach, move, switch, verify, end = section(page, "Steps")
    (listed,) = section(page, "Switch a listed workload")
    assert without_azure(move) == ""
    before = """
sed "s/vault.azure.net/$VAULT_SUFFIX/" $OLDPWD/examples/validate-minimal.yaml | kubectl apply -f -
kubectl -n shop wait srcache/orders --for=condition=Ready --timeout=90s
application checkout '{name: REDIS_URL, valueFrom: {secretKeyRef: {name: orders, key: uri}}}'
application injected '{name: MODE, value: calm}'
kubectl -n shop label deployment injected secureredis.io/inject=true
kubectl -n shop annotate deployment injected secureredis.io/resources=orders
kubectl -n shop patch srcache orders --type=merge --patch '
spec: {workloads: [{id: injected, kind: Deployment, name: injected, env: [{name: REDIS_URL, key: uri}]}]}'
kubectl -n shop wait srcache/orders --for=condition=WorkloadsCurrent --timeout=2m
"""
    endpoint = f"""
kubectl -n shop wait srcache/orders-managed --timeout=2m \
  --for=jsonpath='{{.status.conditions[?(@.type=="Ready")].reason}}'=NoRoute
(cd {ROOT}; PYTHONPATH=operator:. "$(scripts/bootstrap)" -c '
from pathlib import Path
from sandbox.azure.control.client import Control
from sandbox.azure.seeds import seeds
from sandbox.cli.state import Sandbox
control = Control.of(Path(Sandbox("migration").must().azure))
control.managed_redis.update("orders-managed", private_endpoints=[seeds.PrivateEndpoint(name="shop-vnet")])')
"""
    steps = [before, names, create, endpoint, wait, reach, "former checkout", switch, "ended"]
    steps += ["DEPLOYMENT=injected", "former injected", listed, "ended"]
    steps += [printed_nothing(without_azure(verify)), without_azure(end)]
    lines = follow(page, steps, shell, tmp_path)
    assert lines.count("left: []") == 1
