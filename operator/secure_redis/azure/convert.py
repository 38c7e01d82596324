"""From the SDK's models to our facts. Keys, connection strings and the models themselves stop here."""

from collections.abc import Iterable, Mapping
from typing import Any

from azure.mgmt.redis.models import RedisFirewallRule, RedisResource
from pydantic import SecretStr

from secure_redis.api.resource_id import CacheID, InvalidResourceID
from secure_redis.domain.observation import (
    CacheFacts,
    FirewallRuleFacts,
    ListedKeys,
    OperationFacts,
    PrivateEndpoint,
)


class Malformed(ValueError):
    """An answer of status 200 that is not what was asked for (a proxy's page, a truncated or foreign body)."""


def cache_facts(answer: RedisResource) -> CacheFacts:
    """A cache as Azure answered it; what the answer does not say stays None.

    Raises:
        Malformed: no resource id, SKU or provisioning state.

    """
    resource: Any = answer  # the model types what only the service fills in as always None
    try:
        resource_id = CacheID.parse(resource.id or "")
    except InvalidResourceID as error:
        raise Malformed(f"the answer's resource id is not that of a cache: {error}") from None
    sku = resource.sku
    if sku is None or not sku.name or not sku.family or sku.capacity is None:
        raise Malformed("the answer has no SKU")
    state = _text(resource.provisioning_state)
    if state is None:
        raise Malformed("the answer has no provisioning state")
    settings = _settings(resource)
    identity = resource.identity
    replicas = resource.replicas_per_primary
    return CacheFacts(
        resource_id=resource_id,
        location=_text(resource.location) or "",
        sku_name=str(getattr(sku.name, "value", sku.name)),
        sku_family=str(getattr(sku.family, "value", sku.family)),
        sku_capacity=int(sku.capacity),
        provisioning_state=state,
        host_name=_text(resource.host_name),
        tls_port=_port(resource.ssl_port),
        plaintext_port=_port(resource.port),
        redis_version=_text(resource.redis_version),
        non_tls_port_enabled=resource.enable_non_ssl_port,
        minimum_tls_version=_text(resource.minimum_tls_version),
        public_network_access=_text(resource.public_network_access),
        access_keys_disabled=resource.disable_access_key_authentication,
        authentication_disabled=_flag(settings.get("authnotrequired")),
        entra_enabled=_flag(settings.get("aad-enabled")),
        tags={str(name): str(value) for name, value in (resource.tags or {}).items()},
        zones=tuple(str(zone) for zone in resource.zones or ()),
        replicas=replicas if replicas is not None else resource.replicas_per_master,
        shards=resource.shard_count,
        subnet_id=_text(resource.subnet_id),
        identity_type=_text(identity.type) if identity is not None else None,
        user_assigned_ids=tuple(sorted((identity.user_assigned_identities or {}) if identity is not None else ())),
        private_endpoints=tuple(_private_endpoints(resource)),
    )


def listed_keys(primary: str | None, secondary: str | None) -> ListedKeys:
    """Both keys.

    Raises:
        Malformed: one is missing.

    """
    if not primary or not secondary:
        raise Malformed("the answer does not hold both keys")
    return ListedKeys(SecretStr(primary), SecretStr(secondary))


def firewall_rule_facts(rule: RedisFirewallRule, cache_name: str) -> FirewallRuleFacts:
    """A rule without the `<cache>/` prefix that Azure puts before its name.

    Raises:
        Malformed: a part is missing.

    """
    name = _text(rule.name) or ""
    prefix, slash, rest = name.partition("/")
    if slash and prefix.lower() == cache_name.lower():
        name = rest
    if not name or not rule.start_ip or not rule.end_ip:
        raise Malformed("the answer holds a firewall rule without name or range")
    return FirewallRuleFacts(name, rule.start_ip, rule.end_ip)


def operation_facts(status_code: int, body: object) -> OperationFacts:
    """What a poll of an operation URL says, in both forms: an operation's status, or 202 until it is over.

    `body` is the decoded JSON, None where there was none.
    """
    if isinstance(body, Mapping):
        status = body.get("status")
        properties = body.get("properties")
        if status is None and isinstance(properties, Mapping):  # the resource itself: the operation is over
            status = properties.get("provisioningState")
        if isinstance(status, str):
            error = body.get("error")
            error = error if isinstance(error, Mapping) else {}
            return OperationFacts(_status(status), _text(error.get("code")), _text(error.get("message")))
    return OperationFacts("InProgress" if status_code == 202 else "Succeeded")


def _status(text: str) -> str:
    known = {"succeeded": "Succeeded", "failed": "Failed", "canceled": "Canceled", "cancelled": "Canceled"}
    return known.get(text.lower(), "InProgress")


def _settings(resource: Any) -> Mapping[str, str]:
    configuration = resource.redis_configuration
    if configuration is None:
        return {}
    return {
        "authnotrequired": configuration.authnotrequired or "",
        "aad-enabled": configuration.aad_enabled or "",
    }


def _private_endpoints(resource: Any) -> Iterable[PrivateEndpoint]:
    for connection in resource.private_endpoint_connections or ():
        state = connection.private_link_service_connection_state
        yield PrivateEndpoint(_text(connection.name) or "", _text(getattr(state, "status", None)) or "Unknown")


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = str(getattr(value, "value", value))
    return text or None


def _flag(text: str | None) -> bool | None:
    return {"true": True, "false": False}.get((text or "").strip().lower())


def _port(value: int | None) -> int | None:
    return value if value is not None and 0 < value < 65536 else None
