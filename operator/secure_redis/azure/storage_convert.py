"""From the answers about storage accounts, vaults and keys to our facts. What an answer does not say stays None."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from secure_redis.api.azure_ids import InvalidStorageAccountID, StorageAccountID, segments
from secure_redis.azure.convert import Malformed
from secure_redis.domain.observe.redis import PrivateEndpoint
from secure_redis.domain.observe.storage import (
    BlobServiceFacts,
    KeyFacts,
    KeyVaultFacts,
    StorageEncryption,
    StorageFacts,
)


def storage_facts(body: object) -> StorageFacts:
    """An account from the JSON of a GET.

    Raises:
        Malformed: no id of a storage account.

    """
    answer = mapping(body)
    properties = mapping(answer.get("properties"))
    try:
        account_id = StorageAccountID.parse(text(answer.get("id")) or "")
    except InvalidStorageAccountID as error:
        raise Malformed(f"the answer's resource id is not that of a storage account: {error}") from None
    encryption = properties.get("encryption")
    network = properties.get("networkAcls")
    network = network if isinstance(network, Mapping) else {}
    return StorageFacts(
        account_id=account_id,
        location=text(answer.get("location")) or "",
        kind=text(answer.get("kind")),
        sku_name=text(mapping(answer.get("sku")).get("name")),
        provisioning_state=text(properties.get("provisioningState")),
        encryption=_encryption(encryption) if isinstance(encryption, Mapping) else None,
        https_only=flag(properties.get("supportsHttpsTrafficOnly")),
        minimum_tls_version=text(properties.get("minimumTlsVersion")),
        public_blobs_allowed=flag(properties.get("allowBlobPublicAccess")),
        shared_key_allowed=flag(properties.get("allowSharedKeyAccess")),
        public_network_access=text(properties.get("publicNetworkAccess")),
        network_default_action=text(network.get("defaultAction")),
        network_bypass=_bypass(network.get("bypass")),
        ip_rules=tuple(_ip_rules(network.get("ipRules"))),
        subnet_rules=len(_list(network.get("virtualNetworkRules"))),
        private_endpoints=tuple(_private_endpoints(properties)),
        hierarchical_namespace=flag(properties.get("isHnsEnabled")),
        primary_location=text(properties.get("primaryLocation")),
        secondary_location=text(properties.get("secondaryLocation")),
        blob_endpoint=text(mapping(properties.get("primaryEndpoints")).get("blob")),
        key_expiry_days=number(mapping(properties.get("keyPolicy")).get("keyExpirationPeriodInDays")),
    )


def blob_service_facts(body: object) -> BlobServiceFacts:
    """A blob service from the JSON of a GET.

    Raises:
        Malformed: no properties at all.

    """
    properties = mapping(body).get("properties")
    if not isinstance(properties, Mapping):
        raise Malformed("the answer is not a blob service")
    blobs = mapping(properties.get("deleteRetentionPolicy"))
    containers = mapping(properties.get("containerDeleteRetentionPolicy"))
    return BlobServiceFacts(
        soft_delete=flag(blobs.get("enabled")),
        soft_delete_days=number(blobs.get("days")),
        permanent_delete_allowed=flag(blobs.get("allowPermanentDelete")),
        container_soft_delete=flag(containers.get("enabled")),
        container_soft_delete_days=number(containers.get("days")),
        versioning=flag(properties.get("isVersioningEnabled")),
        point_in_time_restore=flag(mapping(properties.get("restorePolicy")).get("enabled")),
    )


def key_vault_facts(body: object) -> KeyVaultFacts:
    """A vault from the JSON of a GET.

    Raises:
        Malformed: no id, name or properties.

    """
    answer = mapping(body)
    properties = answer.get("properties")
    resource_id, name = text(answer.get("id")), text(answer.get("name"))
    parts = segments(resource_id or "")
    if resource_id is None or name is None or not isinstance(properties, Mapping):
        raise Malformed("the answer is not a key vault")
    if len(parts) != 8 or parts[0] != "subscriptions" or parts[5:7] != ("microsoft.keyvault", "vaults"):
        raise Malformed("the answer's resource id is not that of a key vault")
    network = mapping(properties.get("networkAcls"))
    return KeyVaultFacts(
        resource_id=resource_id,
        name=name,
        location=text(answer.get("location")) or "",
        uri=text(properties.get("vaultUri")),
        tenant_id=text(properties.get("tenantId")),
        soft_delete=flag(properties.get("enableSoftDelete")),
        soft_delete_days=number(properties.get("softDeleteRetentionInDays")),
        purge_protection=flag(properties.get("enablePurgeProtection")),
        role_based=flag(properties.get("enableRbacAuthorization")),
        public_network_access=text(properties.get("publicNetworkAccess")),
        network_default_action=text(network.get("defaultAction")),
        network_bypass=text(network.get("bypass")),
    )


def key_facts(body: object, name: str) -> KeyFacts:
    """A key from the JSON of a GET of the management plane.

    Raises:
        Malformed: no properties, or no version.

    """
    properties = mapping(body).get("properties")
    if not isinstance(properties, Mapping):
        raise Malformed("the answer is not a key")
    version = key_version(text(properties.get("keyUriWithVersion")) or "")
    if version is None:
        raise Malformed("the answer does not name the key's version")
    attributes = mapping(properties.get("attributes"))
    return KeyFacts(
        name=name,
        version=version,
        enabled=flag(attributes.get("enabled")),
        expires=_unix(attributes.get("exp")),
        not_before=_unix(attributes.get("nbf")),
        key_type=text(properties.get("kty")),
        size=number(properties.get("keySize")),
    )


def key_version(key_id: str) -> str | None:
    """The version in a key's URL `https://<vault>/keys/<name>/<version>`; None where it has none."""
    parts = key_id.rstrip("/").split("/")
    return parts[-1] if len(parts) == 6 and parts[3].lower() == "keys" and parts[-1] else None


def _encryption(given: Mapping[str, Any]) -> StorageEncryption:
    # The SDK's wire name is in lower case (2019 and later), the first versions' was not.
    key = mapping(given.get("keyvaultproperties") or given.get("keyVaultProperties"))
    identity = mapping(given.get("identity"))
    return StorageEncryption(
        key_source=text(given.get("keySource")),
        blob_encrypted=flag(mapping(mapping(given.get("services")).get("blob")).get("enabled")),
        infrastructure=flag(given.get("requireInfrastructureEncryption")),
        vault_uri=text(key.get("keyvaulturi")),
        key_name=text(key.get("keyname")),
        key_version=text(key.get("keyversion")),
        current_key_id=text(key.get("currentVersionedKeyIdentifier")),
        current_key_expires=_date(key.get("currentVersionedKeyExpirationTimestamp")),
        key_rotated=_date(key.get("lastKeyRotationTimestamp")),
        identity_id=text(identity.get("userAssignedIdentity")),
        federated_client_id=text(identity.get("federatedIdentityClientId")),
    )


def _bypass(value: object) -> tuple[str, ...] | None:
    """The services that pass the firewall: "Logging, AzureServices" or "None"."""
    if not isinstance(value, str):
        return None
    words = [word.strip() for word in value.split(",")]
    return tuple(word for word in words if word and word.lower() != "none")


def _ip_rules(value: object) -> Iterable[str]:
    for rule in _list(value):
        address = text(mapping(rule).get("value"))
        if address is not None:
            yield address


def _private_endpoints(properties: Mapping[str, Any]) -> Iterable[PrivateEndpoint]:
    for connection in _list(properties.get("privateEndpointConnections")):
        state = mapping(mapping(mapping(connection).get("properties")).get("privateLinkServiceConnectionState"))
        yield PrivateEndpoint(text(mapping(connection).get("name")) or "", text(state.get("status")) or "Unknown")


def _date(value: object) -> datetime | None:
    """A time such as 2026-01-31T08:15:00.1234567Z; nonsense says nothing, and neither does the year 1."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    if found.year < 1970:  # .NET's zero, for "never"
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _unix(value: object) -> datetime | None:
    seconds = number(value)
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def text(value: object) -> str | None:
    """The value if it is a text that says something."""
    return value if isinstance(value, str) and value else None


def number(value: object) -> int | None:
    """The value if it is a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def flag(value: object) -> bool | None:
    """The value if it is true or false."""
    return value if isinstance(value, bool) else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
