"""The end of the demo: no key has leaked, the claims, and what to try next."""

import secrets
from pathlib import Path

from sandbox.azure.seeds import seeds
from sandbox.cli.state import Sandbox
from sandbox.cluster import write_private
from sandbox.demo import application
from sandbox.demo.managed import CARTS
from sandbox.demo.rotation import SESSIONS
from sandbox.demo.shop import Shop
from sandbox.demo.stage import Stage

_VISITOR = "00000000-0000-0000-0000-00000000d001"
_CACHES = ("legacy", "orders", "sessions", "catalog", "reports")
_CLUSTERS = ("carts",)
_VAULT_SECRETS = ("orders-redis-key", "sessions-redis-key", "catalog-redis-key", "carts-key")


def no_key_leaked(stage: Stage, shop: Shop) -> None:
    """Search for every key and token of this world where none is allowed."""
    story, control = stage.story, stage.control
    hidden = {stage.cluster.admin_token}
    for cache in _CACHES:
        hidden.update(control.redis.keys(cache).values())
    for cluster in _CLUSTERS:
        hidden.update(control.managed_redis.keys(cluster).values())
    for name in _VAULT_SECRETS:
        hidden.update(one.value for one in control.keyvault.secret_versions(shop.vault, name))
    hidden.update(stage.retired)
    places = {
        "this output": story.printed,
        "the operator's log (level debug)": stage.operator_log.read_text(errors="replace"),
        "the client's log": application.log(stage),
        **_canary_logs(stage),
        "the resources and their status": stage.kubectl("-n", shop.namespace, "get", "srcache", "-o", "yaml"),
        "the events": stage.kubectl("-n", shop.namespace, "get", "events", "-o", "yaml"),
    }
    for place, text in places.items():
        found = sum(secret in text for secret in hidden)
        story.claim(f"none of {len(hidden)} keys and tokens is in {place}", bool(text) and found == 0)


def _canary_logs(stage: Stage) -> dict[str, str]:
    if not stage.has_node():
        return {}
    workloads = [
        name
        for one in (SESSIONS, CARTS)
        for name in (f"deployment/{one.deployment}", f"statefulset/{one.stateful_set}")
    ]
    logs = [stage.kubectl("-n", stage.namespace, "logs", one) for one in workloads]
    return {"the logs of the rotations' pods": "\n".join(logs)}


def hints(stage: Stage, shop: Shop, sandbox: Sandbox) -> None:
    """Print what to try in a world that keeps running."""
    where = stage.control.endpoints
    password = _visitor(stage, shop, sandbox.directory)
    story = stage.story
    story.say("It stays as it is, supervised in the background, until you end it or this machine does:")
    rows = [
        ("kubeconfig", f"export KUBECONFIG={stage.facts.kubeconfig}"),
        ("a shell where names resolve", sandbox.command("shell")),
        ("what runs", sandbox.command("status")),
        ("end it", sandbox.command("down")),
        ("logs", str(sandbox.directory)),
    ]
    story.table("Kept running", rows)
    rows = [
        ("watch", f"kubectl -n {shop.namespace} get srcache -w"),
        ("read", "kubectl explain srcache.spec.drift"),
        ("delete a Secret; it comes back", f"kubectl -n {shop.namespace} delete secret orders"),
        (
            "look now",
            f"kubectl -n {shop.namespace} annotate --overwrite srcache --all secureredis.io/refresh=$(date +%s)",
        ),
        (
            "rotate the keys again",
            f"kubectl -n {shop.namespace} annotate --overwrite srcache sessions secureredis.io/rotate=$(date +%s)",
        ),
        ("hold all writes", f"kubectl -n {shop.namespace} annotate srcache sessions secureredis.io/paused=true"),
        ("a colleague changes the cache in Azure", sandbox.command("fault change orders enableNonSslPort=true")),
        ("Azure is busy", sandbox.command("fault add status --service arm --status 429 --times 5")),
        ("the operator is down; `start` again", sandbox.command("operator stop")),
        ("more of that", sandbox.command("fault --help")),
    ]
    story.table("Try (in that shell)", rows)
    settings = f"AZURE_CONFIG_DIR={sandbox.directory}/az REQUESTS_CA_BUNDLE={where.ca_file}"
    cloud = f"az cloud register --name Sandbox --endpoint-resource-manager {where.management}"
    account = f"--username {_VISITOR} --tenant {_tenant(stage)}"
    rows = [
        ("settings", f"export {settings} AZURE_CORE_INSTANCE_DISCOVERY=false"),
        ("cloud", f"{cloud} && az cloud set --name Sandbox"),
        ("login", f'az login --service-principal {account} --password "$(cat {password})"'),
        ("look", f"az redis show -g {shop.group} -n sessions"),
        ("tamper", f"az redis update -g {shop.group} -n sessions --set enableNonSslPort=true   # then: look now"),
    ]
    story.table("The same Azure by azure-cli, if you have it (in that shell)", rows)


def _tenant(stage: Stage) -> str:
    account = stage.get("serviceaccount", "secure-redis")
    return str(account["metadata"]["annotations"]["azure.workload.identity/tenant-id"])


def _visitor(stage: Stage, shop: Shop, directory: Path) -> Path:
    """Create an administrator of the group, for azure-cli. Returns the file with the password."""
    password = secrets.token_urlsafe(24)
    path = directory / "azure-cli-password"
    write_private(path, password)
    scope = seeds.subscription_scope(shop.subscription)
    stage.control.seed(
        seeds.App(tenant=_tenant(stage), client_id=_VISITOR, object_id=_VISITOR, secret=password),
        seeds.RoleAssignment(object_id=_VISITOR, scope=scope, actions=("*",), data_actions=("*",)),
    )
    return path
