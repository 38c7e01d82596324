"""Convert the answers about storage accounts to facts. Absent values stay None."""

from collections.abc import Mapping
from typing import Any

from secure_redis.api.azure_ids import InvalidStorageAccountID, StorageAccountID
from secure_redis.azure.core.answers import Malformed, date, flag, mapping, text
from secure_redis.domain.observe.storage import (
    BlobServiceFacts,
    StorageEncryption,
    StorageFacts,
)


def storage_facts(body: object) -> StorageFacts:
    """Convert the JSON of a GET to an account.

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
    network = mapping(properties.get("networkAcls"))
    return StorageFacts(
        account_id=account_id,
        location=text(answer.get("location")) or "",
        sku_name=text(mapping(answer.get("sku")).get("name")),
        encryption=_encryption(encryption) if isinstance(encryption, Mapping) else None,
        https_only=flag(properties.get("supportsHttpsTrafficOnly")),
        minimum_tls_version=text(properties.get("minimumTlsVersion")),
        public_blobs_allowed=flag(properties.get("allowBlobPublicAccess")),
        shared_key_allowed=flag(properties.get("allowSharedKeyAccess")),
        public_network_access=text(properties.get("publicNetworkAccess")),
        network_default_action=text(network.get("defaultAction")),
        network_bypass=_bypass(network.get("bypass")),
        primary_location=text(properties.get("primaryLocation")),
        secondary_location=text(properties.get("secondaryLocation")),
        blob_endpoint=text(mapping(properties.get("primaryEndpoints")).get("blob")),
    )


def blob_service_facts(body: object) -> BlobServiceFacts:
    """Convert the JSON of a GET to a blob service.

    Raises:
        Malformed: no properties at all.

    """
    properties = mapping(body).get("properties")
    if not isinstance(properties, Mapping):
        raise Malformed("the answer is not a blob service")
    return BlobServiceFacts(
        soft_delete=flag(mapping(properties.get("deleteRetentionPolicy")).get("enabled")),
        versioning=flag(properties.get("isVersioningEnabled")),
        point_in_time_restore=flag(mapping(properties.get("restorePolicy")).get("enabled")),
    )


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
        current_key_expires=date(key.get("currentVersionedKeyExpirationTimestamp")),
        identity_id=text(identity.get("userAssignedIdentity")),
        federated_client_id=text(identity.get("federatedIdentityClientId")),
    )


def _bypass(value: object) -> tuple[str, ...] | None:
    """Read the services that pass the firewall: "Logging, AzureServices" or "None"."""
    if not isinstance(value, str):
        return None
    words = [word.strip() for word in value.split(",")]
    return tuple(word for word in words if word and word.lower() != "none")
