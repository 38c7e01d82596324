"""The facts about the storage account behind a cache's persistence, and about the key that encrypts it.

`None`: Azure's answer did not contain the value, which is never the same as safe. The default of an absent value
is documented beside each field (docstrings of azure-mgmt-storage 25.3.0).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from secure_redis.api.azure_ids import StorageAccountID
from secure_redis.domain.observe.governance import RoleAssignmentFacts, any_permits
from secure_redis.domain.observe.unknown import NOT_READ, NotRead, Unknown

_ENCRYPT: Final = tuple(f"Microsoft.KeyVault/vaults/keys/{one}" for one in ("read", "wrap/action", "unwrap/action"))
# Azure Storage and managed disks always encrypt. Sources: Microsoft's "Azure Storage encryption for data at rest" and
# "Server-side encryption of Azure Disk Storage".
CIPHER: Final = "encrypted with AES-256 (FIPS 140-2 validated)"


@dataclass(frozen=True, slots=True)
class StorageEncryption:
    """The encryption of an account. It is always AES-256; the owner of the key differs.

    `key_source`: `Microsoft.Storage` or `Microsoft.Keyvault` as answered. `vault_uri` and the like: of a
    customer-managed key. `key_version`: None or empty where the account follows the newest version by itself.
    `federated_client_id`: set where the vault belongs to another tenant.
    """

    key_source: str | None
    blob_encrypted: bool | None = None
    infrastructure: bool | None = None  # a second layer; chosen at creation, absent: not requested
    vault_uri: str | None = None
    key_name: str | None = None
    key_version: str | None = None
    current_key_id: str | None = None  # URL of the version in use
    current_key_expires: datetime | None = None
    identity_id: str | None = None  # ARM id of the user-assigned identity that reads the key
    federated_client_id: str | None = None

    @property
    def customer_managed(self) -> bool | None:
        """Whether the key is the customer's own; None if the answer has no value or an unknown one."""
        source = (self.key_source or "").strip().lower()
        return {"microsoft.keyvault": True, "microsoft.storage": False}.get(source)


@dataclass(frozen=True, slots=True)
class StorageFacts:
    """A storage account as Azure answered."""

    account_id: StorageAccountID
    location: str
    sku_name: str | None  # Standard_LRS, Standard_GRS, Premium_ZRS, …
    encryption: StorageEncryption | None
    https_only: bool | None = None  # absent: on for accounts made by an API since 2019-04-01
    minimum_tls_version: str | None = None  # TLS1_0 … TLS1_3; absent: TLS 1.0
    public_blobs_allowed: bool | None = None  # absent: allowed in accounts made before 2023-11, else not
    shared_key_allowed: bool | None = None  # absent: allowed
    public_network_access: str | None = None  # Enabled, Disabled, SecuredByPerimeter; absent: Enabled
    network_default_action: str | None = None  # Allow, Deny
    network_bypass: tuple[str, ...] | None = None  # AzureServices, Logging, Metrics; empty: None
    primary_location: str | None = None
    secondary_location: str | None = None
    blob_endpoint: str | None = None  # https://<account>.blob.<suffix>/

    @property
    def redundancy(self) -> str | None:
        """The redundancy (LRS, ZRS, GRS, RAGRS, GZRS or RAGZRS): the SKU's name behind the underscore."""
        _, found, suffix = (self.sku_name or "").partition("_")
        return suffix.upper() if found and suffix else None

    @property
    def geo_redundant(self) -> bool | None:
        """Whether copies lie in another region."""
        return None if self.redundancy is None else "GRS" in self.redundancy or "GZRS" in self.redundancy

    @property
    def trusted_services_pass(self) -> bool | None:
        """Whether Azure's trusted services, a cache with managed identity among them, pass the account's firewall."""
        if self.network_bypass is None:
            return None
        return any(service.lower() == "azureservices" for service in self.network_bypass)


@dataclass(frozen=True, slots=True)
class StorageAbsent:
    """An account for which Azure answered 404 to a direct read."""

    message: str
    group_missing: bool = False


@dataclass(frozen=True, slots=True)
class BlobServiceFacts:
    """The settings by which a blob service keeps overwritten and deleted data.

    Persistence overwrites all the time, so that soft delete and versions keep, and bill, every earlier copy (Microsoft,
    "Configure data persistence for an Azure Cache for Redis instance").
    """

    soft_delete: bool | None = None
    versioning: bool | None = None
    point_in_time_restore: bool | None = None

    @property
    def keeping(self) -> tuple[str, ...]:
        """The settings that keep overwritten data, by name."""
        settings = (
            ("soft delete", self.soft_delete),
            ("blob versions", self.versioning),
            ("point-in-time restore", self.point_in_time_restore),
        )
        return tuple(name for name, on in settings if on)


@dataclass(frozen=True, slots=True)
class KeyVaultFacts:
    """A key vault as the management plane answered. `resource_id`: its ARM id.

    `by_roles`: whether roles permit the use of its keys; else `key_policies` does: by object id, the permissions in
    lower case.
    """

    resource_id: str
    name: str
    uri: str | None = None
    soft_delete: bool | None = None  # absent: on (new vaults cannot be without since 2020-12-15)
    purge_protection: bool | None = None  # absent: off
    by_roles: bool | None = None
    key_policies: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def lets_encrypt(self, principal: str, roles: Iterable[RoleAssignmentFacts]) -> bool | None:
        """Whether this object id can encrypt with a key, to which these assignments apply. None: it is not certain.

        Source: learn.microsoft.com/azure/redis/how-to-encryption, "Prerequisites": get, wrap and unwrap.
        """
        if not self.by_roles:
            permitted = self.key_policies.get(principal.lower(), frozenset())
            return "all" in permitted or permitted >= {"get", "wrapkey", "unwrapkey"}
        assigned = tuple(roles)
        found = [any_permits(assigned, action, data=True) for action in _ENCRYPT]
        return all(found) if None not in found else (None if False not in found else False)


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A key as the management plane answered. `version` is that of `key_id`."""

    name: str
    version: str
    enabled: bool | None = None
    expires: datetime | None = None
    not_before: datetime | None = None

    def unusable(self, now: datetime) -> str | None:
        """Explain why the key cannot be used now. None: nothing that is known keeps it from use (see `enabled`)."""
        if self.enabled is False:
            return "is disabled"
        if self.expires is not None and self.expires <= now:
            return f"expired on {self.expires:%Y-%m-%d}"
        if self.not_before is not None and self.not_before > now:
            return f"is not valid before {self.not_before:%Y-%m-%d}"
        return None


@dataclass(frozen=True, slots=True)
class KeyAbsent:
    """A key, or a version of it, that the vault does not contain."""

    message: str


@dataclass(frozen=True, slots=True)
class EncryptionKeyFacts:
    """The vault and the key that encrypt an account or a cluster. Each can be Unknown for its own reason.

    `newest`: the key's newest version, which a cluster does not follow by itself; NotRead for an account.
    """

    vault: KeyVaultFacts | Unknown
    key: KeyFacts | KeyAbsent | Unknown
    newest: KeyFacts | KeyAbsent | Unknown | NotRead = NOT_READ
