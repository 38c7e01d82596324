"""The chapter on persistence: an unsafe storage account behind a cache is found, and its correction too."""

from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.storage import StorageAccount
from sandbox.demo import shop as shops
from sandbox.demo.shop import Shop
from sandbox.demo.stage import Stage

_RESOURCE, _ACCOUNT, _CHAIN = "reports", "shopreports", "PersistenceEncrypted"
_CLOSED = {"networkAcls": {"bypass": "AzureServices", "defaultAction": "Deny"}, "allowSharedKeyAccess": False}


def persistence(stage: Stage, shop: Shop) -> None:
    """Show how persisted data is followed to its storage account."""
    story, control = stage.story, stage.control
    story.say(
        """The cache `reports` is Premium and takes a snapshot every hour. Its data lie in a storage account and are
        as safe as that account is. The operator follows the chain: whose key encrypts it, and who gets in."""
    )
    _there(stage, shop)
    since = control.log.position()
    shops.apply(stage, "validate-persistence.yaml")
    stage.until(_RESOURCE, _CHAIN, "True")
    story.output(f"{_CHAIN}: {stage.message(_RESOURCE, _CHAIN)}")
    story.happens("a colleague", "makes the account public, and lets old clients in with TLS 1.0")
    control.storage.update(_ACCOUNT, {"allowBlobPublicAccess": True, "minimumTlsVersion": "TLS1_0"})
    stage.refresh(_RESOURCE)
    stage.until(_RESOURCE, _CHAIN, "False")
    message = stage.message(_RESOURCE, _CHAIN)
    story.output(f"{_CHAIN}: {message}")
    story.claim("the broken link is found, with the command that fixes it", "--min-tls-version TLS1_2" in message)
    ready = stage.condition(_RESOURCE, "Ready")[0]
    story.claim("an unsafe disk does not take the cache from its users (Ready stays True)", ready == "True")
    control.storage.update(_ACCOUNT, {"minimumTlsVersion": "TLS1_2"})
    stage.refresh(_RESOURCE)
    stage.until(_RESOURCE, _CHAIN, "False", "StorageOpen")
    story.claim("one link is fixed, and the next one is named", "public" in stage.message(_RESOURCE, _CHAIN))
    story.happens("the colleague", "closes the account again")
    control.storage.update(_ACCOUNT, {"allowBlobPublicAccess": False})
    stage.refresh(_RESOURCE)
    stage.until(_RESOURCE, _CHAIN, "True")
    story.output(f"{_CHAIN}: {stage.message(_RESOURCE, _CHAIN)}")
    story.claim("after all fixes the condition is True again", stage.condition(_RESOURCE, _CHAIN)[0] == "True")
    story.claim("nothing was written to Azure", not control.log.writes(since))


def _there(stage: Stage, shop: Shop) -> None:
    """Create the cache and its account, which the team's identity may read by the role Observe."""
    control = stage.control
    account = StorageAccount(subscription=shop.subscription, group=shop.group, name=_ACCOUNT, properties=_CLOSED)
    control.seed(account)
    shown = control.storage.get(_ACCOUNT) or {}
    control.seed(
        seeds.Cache(
            name=_RESOURCE,
            subscription=shop.subscription,
            group=shop.group,
            sku={"name": "Premium", "family": "P", "capacity": 1},
            properties={"minimumTlsVersion": "1.2", "publicNetworkAccess": "Disabled"},
            private_endpoints=(seeds.PrivateEndpoint(name="shop-vnet"),),
            redis_configuration={
                "rdb-backup-enabled": "true",
                "rdb-backup-frequency": "60",
                "preferred-data-persistence-auth-method": "ManagedIdentity",
                "rdb-storage-connection-string": str(shown["properties"]["primaryEndpoints"]["blob"]).rstrip("/"),
            },
        )
    )
