"""The chapter on Azure Managed Redis: a cluster and its database are created, and their keys rotated under load."""

import base64

from sandbox.azure.seeds import seeds
from sandbox.demo import shop as shops
from sandbox.demo.rotation import Rotated, rotate
from sandbox.demo.shop import Shop
from sandbox.demo.stage import Stage
from sandbox.services import MANAGED

_PORT = "10000"
CARTS = Rotated(MANAGED, "carts", "carts-key", "basket", "picker", "after-the-audit")


def managed(stage: Stage, shop: Shop) -> None:
    """Show how a Managed Redis is created, published, and its keys rotated."""
    _provision(stage, shop)
    _publish(stage, shop)
    rotate(stage, shop, CARTS)


def _provision(stage: Stage, shop: Shop) -> None:
    story, control = stage.story, stage.control
    story.say(
        """Azure Cache for Redis retires; its successor is Azure Managed Redis. There a cache is a cluster with a
        database. The operator creates the cluster, waits until it serves, and then creates the database."""
    )
    since = control.log.position()
    shops.apply(stage, "provision-managed.yaml")
    stage.await_(lambda: stage.status("carts").get("cache"), "Azure to begin the cluster `carts`")
    stage.show("get", "srcache", "carts", "-o", "wide")
    stage.until("carts", "Ready", "False", "NoRoute")
    stage.until("carts", "CredentialsSynced", "True")
    made = [one for one in control.log.effects(since) if "/redisenterprise/carts" in one.target.lower()]
    for one in made:
        story.note(f"{one.kind}  …/{one.target.partition('/providers/')[2]}  {', '.join(one.fields)}")
    kinds = [one.kind for one in made]
    story.claim(
        "the cluster was created first, then its database, then the tag was removed that a creation leaves",
        kinds == ["cluster.create", "database.put", "cluster.update"],
    )
    versions = control.keyvault.secret_versions(shop.vault, CARTS.vault_secret)
    stored = [one.value for one in versions] == [control.managed_redis.keys("carts")["Primary"]]
    story.claim("Key Vault holds exactly one version, and it is the database's primary key", stored)


def _publish(stage: Stage, shop: Shop) -> None:
    story = stage.story
    story.happens("platform team", "makes a private endpoint for `carts` (group redisEnterprise) and approves it")
    stage.control.managed_redis.update("carts", private_endpoints=[seeds.PrivateEndpoint(name="shop-vnet")])
    stage.refresh("carts")
    stage.until("carts", "Ready", "True")
    stage.show("get", "srcache", "carts", "-o", "wide")
    stage.show("describe", "secret", "carts")
    data = stage.get("secret", "carts")["data"]
    values = {name: base64.b64decode(text).decode() for name, text in data.items()}
    story.claim(f"the Secret names the database's port, {_PORT}", values.get("port") == _PORT)
    story.claim(
        f"the Secret can only be used over TLS (rediss://, port {_PORT})",
        values.get("uri", "").startswith("rediss://") and f":{_PORT}" in values.get("uri", ""),
    )
