"""Convert the answers about vaults and keys to facts."""

from collections.abc import Iterable, Mapping
from typing import Any

from secure_redis.api.azure_ids import segments
from secure_redis.azure.core.answers import Malformed, elements, flag, mapping, text, unix
from secure_redis.domain.observe.normalise import key_version
from secure_redis.domain.observe.storage import (
    KeyFacts,
    KeyVaultFacts,
)


def key_vault_facts(body: object) -> KeyVaultFacts:
    """Convert the JSON of a GET to a vault.

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
    return KeyVaultFacts(
        resource_id=resource_id,
        name=name,
        uri=text(properties.get("vaultUri")),
        soft_delete=flag(properties.get("enableSoftDelete")),
        purge_protection=flag(properties.get("enablePurgeProtection")),
        by_roles=flag(properties.get("enableRbacAuthorization")),
        key_policies=dict(_key_policies(properties)),
    )


def _key_policies(properties: Mapping[str, Any]) -> Iterable[tuple[str, frozenset[str]]]:
    for one in elements(properties.get("accessPolicies")):
        policy = mapping(one)
        principal = text(policy.get("objectId"))
        if principal is not None and policy.get("applicationId") is None:  # else it is for that application's users
            keys = elements(mapping(policy.get("permissions")).get("keys"))
            yield principal.lower(), frozenset(str(key).lower() for key in keys)


def key_facts(body: object, name: str) -> KeyFacts:
    """Convert the JSON of a GET of the management plane to a key.

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
        expires=unix(attributes.get("exp")),
        not_before=unix(attributes.get("nbf")),
    )
