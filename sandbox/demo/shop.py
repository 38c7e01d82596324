"""The state before the demo begins: a team's Azure that matches the ids in `examples/`."""

import re
import shlex
from dataclasses import dataclass
from typing import Any

import yaml

from sandbox.azure.control.client import Control
from sandbox.azure.seeds import seeds
from sandbox.chart.render import ROOT
from sandbox.cluster import Cluster
from sandbox.demo.stage import Stage
from sandbox.demo.story import DemoError
from sandbox.world import AT_SUBSCRIPTION, CACHE_KEYS, CACHE_READ, CACHE_ROTATE, CACHE_WRITE, VAULT_READ, VAULT_WRITE

_EXAMPLES = ROOT / "examples"
_PUBLIC_VAULTS = "vault.azure.net"
_OBJECT_ID = "00000000-0000-0000-0000-00000000b001"
_RESOURCE_ID = re.compile(r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft\.Cache/redis/([^/]+)")

# Long enough to be visible; real ones take 10 to 20 minutes, and up to an hour.
CREATE_SECONDS = 3.0
UPDATE_SECONDS = 2.0


@dataclass(frozen=True)
class Shop:
    """The names that the manifests use."""

    namespace: str
    subscription: str
    group: str
    vault: str


def documents(name: str) -> list[dict[str, Any]]:
    """Return the objects of a manifest in examples/."""
    return [one for one in yaml.safe_load_all((_EXAMPLES / name).read_text()) if one]


def apply(stage: Stage, name: str) -> None:
    """Apply a manifest of examples/ and show it. Only the host name of the vault is replaced."""
    path = _EXAMPLES / name
    text = path.read_text()
    shown = path.relative_to(ROOT)
    if _PUBLIC_VAULTS in text:
        suffix = stage.control.endpoints.vault_suffix
        stage.story.command(f"sed s/{_PUBLIC_VAULTS}/{suffix}/ {shown} | kubectl apply -f -")
        stage.story.output(stage.kubectl("apply", "-f", "-", stdin=text.replace(_PUBLIC_VAULTS, suffix)))
    else:
        stage.story.command(f"kubectl apply -f {shlex.quote(str(shown))}")
        stage.story.output(stage.kubectl("apply", "-f", str(path)))


def read() -> Shop:
    """Read the names from the manifests. Raises DemoError if they do not match."""
    resource = documents("validate-minimal.yaml")[0]
    found = _RESOURCE_ID.fullmatch(resource["spec"]["resourceID"])
    host = re.match(r"https://([a-z0-9-]+)\.", resource["spec"]["authentication"]["keyVault"]["uri"])
    if found is None or host is None:
        raise DemoError("examples/validate-minimal.yaml: the demo does not understand its resourceID or vault")
    return Shop(resource["metadata"]["namespace"], found[1], found[2], host[1])


def open_for_business(stage: Stage) -> Shop:
    """Fill the simulated Azure, and use the namespace of the examples."""
    shop = seed(stage.control, stage.cluster)
    stage.namespace = shop.namespace
    return shop


def seed(control: Control, cluster: Cluster) -> Shop:
    """Fill the simulated Azure: tenant, identity with roles, group, vault, and the two caches that exist already."""
    shop = read()
    account = next(one for one in documents("namespace-consent.yaml") if one["kind"] == "ServiceAccount")
    annotations = account["metadata"]["annotations"]
    tenant = annotations["azure.workload.identity/tenant-id"]
    subject = f"system:serviceaccount:{shop.namespace}:{account['metadata']['name']}"
    federation = seeds.Federation(issuer=cluster.service_account_issuer, subject=subject)
    group = seeds.group_scope(shop.subscription, shop.group)
    control.seed(
        seeds.Tenant(id=tenant, domain="shop.example"),
        seeds.Subscription(id=shop.subscription, tenant=tenant),
        seeds.App(
            tenant=tenant,
            client_id=annotations["azure.workload.identity/client-id"],
            object_id=_OBJECT_ID,
            federations=(federation,),
        ),
        seeds.Group(subscription=shop.subscription, name=shop.group),
        seeds.Vault(name=shop.vault, tenant=tenant, subscription=shop.subscription, group=shop.group),
        # All permissions that Provision and rotation need: where nothing is written, no permission is missing.
        seeds.RoleAssignment(
            object_id=_OBJECT_ID, scope=group, actions=CACHE_READ + CACHE_KEYS + CACHE_WRITE + CACHE_ROTATE
        ),
        seeds.RoleAssignment(
            object_id=_OBJECT_ID, scope=seeds.subscription_scope(shop.subscription), actions=AT_SUBSCRIPTION
        ),
        seeds.RoleAssignment(
            object_id=_OBJECT_ID,
            scope=seeds.vault_scope(shop.subscription, shop.group, shop.vault),
            data_actions=VAULT_READ + VAULT_WRITE,
        ),
        seeds.Cache(
            name="legacy",
            properties={"enableNonSslPort": True, "minimumTlsVersion": "1.0", "publicNetworkAccess": "Enabled"},
            subscription=shop.subscription,
            group=shop.group,
        ),
        seeds.Cache(
            name="orders",
            properties={"minimumTlsVersion": "1.2", "publicNetworkAccess": "Disabled"},
            private_endpoints=(seeds.PrivateEndpoint(name="shop-vnet"),),
            subscription=shop.subscription,
            group=shop.group,
        ),
    )
    control.settings.change(create_seconds=CREATE_SECONDS, update_seconds=UPDATE_SECONDS)
    key = seeds.SecretVersion(value=control.redis.keys("orders")["Primary"])
    control.keyvault.set_secret(shop.vault, "orders-redis-key", key)
    return shop
