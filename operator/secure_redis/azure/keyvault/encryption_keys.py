"""Read the vault and the key that encrypt a storage account or a cluster, in the management plane.

The vault itself is never contacted: its firewall does not matter, and no token for it is needed.
"""

import time
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from secure_redis.api.azure_ids import segments, within
from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core import answers
from secure_redis.azure.core.answers import Malformed
from secure_redis.azure.core.clouds import Cloud, host_of
from secure_redis.azure.core.expiring_cache import ExpiringCache
from secure_redis.azure.core.failures import Failure, NotFound
from secure_redis.azure.core.resource_manager import RESOURCES_API_VERSION, ResourceManager, unread
from secure_redis.azure.keyvault import convert
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.normalise import key_version
from secure_redis.domain.observe.storage import (
    EncryptionKeyFacts,
    KeyAbsent,
    KeyFacts,
    KeyVaultFacts,
    StorageFacts,
)
from secure_redis.domain.observe.unknown import Unknown

VAULT_API_VERSION: Final = "2023-07-01"
READ_VAULT: Final = "Microsoft.KeyVault/vaults/read"
READ_KEY: Final = "Microsoft.KeyVault/vaults/keys/read"
READ_KEY_VERSION: Final = "Microsoft.KeyVault/vaults/keys/versions/read"


class KeyVaults:
    """Reads vaults by their URI, and keys in them. It keeps a vault's resource id under the identity that found it."""

    def __init__(self, resource_manager: ResourceManager, cloud: Cloud) -> None:
        self._resource_manager = resource_manager
        self._cloud = cloud
        self._resource_ids: ExpiringCache[tuple[Identity, str, str], str] = ExpiringCache(time.monotonic)

    async def encryption_key(self, identity: Identity, storage: StorageFacts) -> EncryptionKeyFacts:
        """Read the vault and the key of an account whose key is the customer's own.

        Raises:
            ValueError: the account's key is not known to be the customer's own.

        """
        encryption = storage.encryption
        if encryption is None or encryption.customer_managed is not True:
            raise ValueError("the account is not known to be encrypted with a key of the customer's own")
        if encryption.vault_uri is None or encryption.key_name is None:
            why = Unknown(Reason.AZURE_ERROR, "the account does not report which key of which vault encrypts it")
            return EncryptionKeyFacts(why, why)
        if encryption.federated_client_id is not None:
            why = Unknown(
                Reason.VAULT_OTHER_TENANT,
                "the key lies in a vault of another tenant, which this identity cannot read",
                permanent=True,
            )
            return EncryptionKeyFacts(why, why)
        vault = await self.vault(identity, storage.account_id.subscription, encryption.vault_uri)
        if isinstance(vault, Unknown):
            return EncryptionKeyFacts(vault, vault)
        version = encryption.key_version or key_version(encryption.current_key_id or "")
        return EncryptionKeyFacts(vault, await self.key(identity, vault, encryption.key_name, version))

    async def in_use(self, identity: Identity, subscription: str, url: str) -> EncryptionKeyFacts:
        """Read the vault and the key of a cluster's URL, and the key's newest version: an answer shows one only."""
        found = await self.of_url(identity, subscription, url)
        if isinstance(found.vault, Unknown):
            return replace(found, newest=found.vault)
        if key_version(url) is None:
            return replace(found, newest=found.key)
        return replace(found, newest=await self.key(identity, found.vault, url.rstrip("/").split("/")[4]))

    async def of_url(self, identity: Identity, subscription: str, url: str) -> EncryptionKeyFacts:
        """Read the vault and the key of `https://<vault>/keys/<name>[/<version>]`, which a cluster names."""
        parts = urlsplit(url)
        path = [part for part in parts.path.split("/") if part]
        if parts.scheme.lower() != "https" or len(path) not in (2, 3) or path[0].lower() != "keys":
            why = Unknown(Reason.AZURE_ERROR, "the cluster names its key in a form that no key has")
            return EncryptionKeyFacts(why, why)
        vault = await self.vault(identity, subscription, f"https://{parts.netloc}")
        if isinstance(vault, Unknown):
            return EncryptionKeyFacts(vault, vault)
        return EncryptionKeyFacts(vault, await self.key(identity, vault, path[1], path[2] if len(path) == 3 else None))

    async def vault(self, identity: Identity, subscription: str, uri: str) -> KeyVaultFacts | Unknown:
        """Find and read the vault with this URI in `subscription`. Needs `Microsoft.KeyVault/vaults/read` on it.

        Names of vaults are unique in a cloud, but a URI does not contain the resource group. The list in which the
        vault is found contains only what the identity may read. So a vault elsewhere looks like one without permission.
        """
        if not self._cloud.allows_vault(uri):
            host = host_of(uri) or "what Azure names"
            return Unknown(
                Reason.VAULT_NOT_ALLOWED,
                f"{host} is not a key vault of the configured cloud (keys in a managed HSM cannot be followed)",
                permanent=True,
            )
        name = str(urlsplit(uri).hostname).partition(".")[0]
        where = (identity, subscription.lower(), name)
        known = self._resource_ids.peek(where)
        resource_id = known if known is not None else await self._find(identity, subscription, name)
        if isinstance(resource_id, Unknown):
            return resource_id
        answer = await self._resource_manager.get(identity, resource_id, VAULT_API_VERSION)
        if isinstance(answer, NotFound) and known is not None:  # moved, or gone
            self._resource_ids.drop(where)
            return await self.vault(identity, subscription, uri)
        if isinstance(answer, NotFound):
            return Unknown(Reason.VAULT_NOT_FOUND, answer.message)
        if isinstance(answer, Failure):
            return unread(answer, READ_VAULT)
        try:
            facts = convert.key_vault_facts(answer)
        except Malformed as error:
            return Unknown(Reason.AZURE_ERROR, str(error))
        if facts.uri is None or host_of(facts.uri) != host_of(uri):
            return Unknown(Reason.AZURE_ERROR, f"Azure answered with another vault than {host_of(uri)}")
        self._resource_ids.get(where, lambda: resource_id)
        return facts

    async def key(
        self, identity: Identity, vault: KeyVaultFacts, name: str, version: str | None = None
    ) -> KeyFacts | KeyAbsent | Unknown:
        """Read a key of the vault, its newest version where none is named.

        Needs `Microsoft.KeyVault/vaults/keys/read`, for a version `Microsoft.KeyVault/vaults/keys/versions/read`.
        """
        if not (_is_name(name) and (version is None or _is_name(version))):
            return Unknown(Reason.AZURE_ERROR, "the key is named in a form that no key has")
        below, permission = (f"/versions/{version}", READ_KEY_VERSION) if version else ("", READ_KEY)
        path = f"{vault.resource_id}/keys/{name}{below}"
        answer = await self._resource_manager.get(identity, path, VAULT_API_VERSION)
        if isinstance(answer, NotFound):
            what = f"version {version} of the key {name}" if version else f"key {name}"
            return KeyAbsent(f"the vault {vault.name} holds no {what}")
        if isinstance(answer, Failure):
            return unread(answer, permission)
        try:
            return convert.key_facts(answer, name)
        except Malformed as error:
            return Unknown(Reason.AZURE_ERROR, str(error))

    async def _find(self, identity: Identity, subscription: str, name: str) -> str | Unknown:
        found = await self._resource_manager.walk(
            identity,
            f"/subscriptions/{subscription}/resources",
            RESOURCES_API_VERSION,
            filter=f"resourceType eq 'Microsoft.KeyVault/vaults' and name eq '{name}'",
        )
        if isinstance(found, Failure):
            return unread(found, READ_VAULT)
        for item in found:
            resource_id = answers.text(item.get("id")) or ""
            parts = segments(resource_id)
            inside = within(f"/subscriptions/{subscription}", resource_id)
            if inside and parts[5:] == ("microsoft.keyvault", "vaults", name):  # both in lower case
                return resource_id
        return Unknown(
            Reason.AZURE_DENIED,
            f"subscription {subscription.lower()} shows this identity no key vault {name}; if it lies there, "
            f"assign a role that holds {READ_VAULT}, such as Key Vault Reader, on it",
            permission=READ_VAULT,
        )


def _is_name(text: str) -> bool:
    return text.isascii() and text.replace("-", "").isalnum()
