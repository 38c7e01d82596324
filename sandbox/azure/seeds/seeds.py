"""The seeds of the simulated world, as they are sent over the control port. Frozen; repr hides secrets."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Json = dict[str, Any]
_PREFIX = "/subscriptions/"


class Seed(BaseModel):
    """Base of all seeds: immutable, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Tenant(Seed):
    """An Entra tenant. `redis_customer`: it had a cache before 2026-04-01, so it may still create one."""

    id: str
    domain: str = ""
    redis_customer: bool = True


class Federation(Seed):
    """A federated credential: all three are compared exactly, as Entra does."""

    issuer: str
    subject: str
    audience: str = "api://AzureADTokenExchange"


class App(Seed):
    """An application or managed identity of a tenant. `resource_id`: the ARM id of a user-assigned identity."""

    tenant: str
    client_id: str
    object_id: str
    resource_id: str = ""
    federations: tuple[Federation, ...] = ()
    secret: str | None = Field(default=None, repr=False)


class Issuer(Seed):
    """An OIDC issuer and its public keys, PEM. `keys` replace those known before."""

    issuer: str
    keys: tuple[str, ...]


class Subscription(Seed):
    """`state` as ARM words it. `registered`: the provider Microsoft.Cache is registered."""

    id: str
    tenant: str
    name: str = "sandbox"
    state: Literal["Enabled", "Disabled", "Warned", "PastDue", "Deleted"] = "Enabled"
    registered: bool = True


class Group(Seed):
    """A resource group."""

    subscription: str
    name: str
    location: str = "westeurope"
    tags: dict[str, str] = {}


class FirewallRule(Seed):
    """A firewall rule of a cache: IPv4, both ends included."""

    name: str
    start: str
    end: str


class PrivateEndpoint(Seed):
    """A private endpoint connection with its state."""

    name: str
    status: Literal["Pending", "Approved", "Rejected", "Disconnected"] = "Approved"
    endpoint_id: str = ""


class Cache(Seed):
    """A cache in any state.

    `properties` are wire names put over the ordinary ones, raw and unchecked; `absent` are wire names then left out.
    `redis_configuration` likewise over the ordinary configuration. `linked_servers` are names of caches that it is
    linked with for geo-replication.
    """

    subscription: str
    group: str
    name: str
    location: str = "West Europe"
    sku: Json = {"name": "Standard", "family": "C", "capacity": 1}
    tags: dict[str, str] = {}
    identity: Json | None = None
    zones: tuple[str, ...] = ()
    properties: Json = {}
    redis_configuration: Json = {}
    absent: tuple[str, ...] = ()
    firewall_rules: tuple[FirewallRule, ...] = ()
    private_endpoints: tuple[PrivateEndpoint, ...] = ()
    linked_servers: tuple[str, ...] = ()
    primary_key: str | None = Field(default=None, repr=False)
    secondary_key: str | None = Field(default=None, repr=False)
    busy: bool = False  # answers 409 to every write until it is changed


class Vault(Seed):
    """A key vault. Its role assignments use `resource_id`. `firewall`: callers are refused by network rules."""

    name: str
    tenant: str
    subscription: str
    group: str
    firewall: bool = False
    location: str = "westeurope"
    properties: Json = {}  # of the management plane: wire names put over the ordinary ones
    absent: tuple[str, ...] = ()  # wire names then left out


class SecretVersion(Seed):
    """One version of a vault secret, oldest first when several are seeded. Times in Unix seconds."""

    value: str = Field(repr=False)
    version: str | None = None
    content_type: str | None = None
    enabled: bool = True
    not_before: int | None = None
    expires: int | None = None
    created: int | None = None
    tags: dict[str, str] | None = None


class RoleAssignment(Seed):
    """The actions of an object id at a scope and below. Wildcards as in role definitions.

    A secret's own scope is `<vault id>/secrets/<name>`. `delay` seconds until it works; None takes the setting.
    """

    object_id: str
    scope: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    delay: float | None = None
    role: str = ""  # the name (a GUID) of a built-in role's definition; else one is made up from what it holds
    condition: str = ""


class Lock(Seed):
    """A management lock. ReadOnly also refuses listKeys, as it is a POST."""

    scope: str
    name: str
    level: Literal["CanNotDelete", "ReadOnly"]
    notes: str = ""


class Policy(Seed):
    """An Azure Policy with effect deny: a create or update of a cache in the scope with this property value is refused.

    `value` None denies every create and update of a cache.
    """

    scope: str
    name: str
    field: Annotated[str, Field(description="wire path below the resource, e.g. properties.enableNonSslPort")] = ""
    value: Any = None


class Region(Seed):
    """A location of Microsoft.Cache, with the SKU names that it does not offer and those short of capacity.

    `managed_versions` are the API versions of Managed Redis that it serves; empty: all.
    """

    name: str
    display: str
    unavailable_skus: tuple[str, ...] = ()
    zones: bool = True
    managed_versions: tuple[str, ...] = ()


REGIONS = tuple(
    Region(name=re.sub(r"[^a-z0-9]", "", display.lower()), display=display, zones=zones)
    for display, zones in (
        ("West Europe", True),
        ("North Europe", True),
        ("Germany West Central", True),
        ("UK South", True),
        ("East US", True),
        ("East US 2", True),
        ("West US 2", True),
        ("West US", False),
        ("North Central US", False),
    )
)


def subscription_scope(subscription: str) -> str:
    """Return the ARM id of a subscription."""
    return f"{_PREFIX}{subscription}"


def group_scope(subscription: str, group: str) -> str:
    """Return the ARM id of a resource group."""
    return f"{_PREFIX}{subscription}/resourceGroups/{group}"


def cache_scope(subscription: str, group: str, name: str) -> str:
    """Return the ARM id of a cache, in the spelling of requests."""
    return f"{group_scope(subscription, group)}/providers/Microsoft.Cache/redis/{name}"


def vault_scope(subscription: str, group: str, name: str) -> str:
    """Return the ARM id of a key vault."""
    return f"{group_scope(subscription, group)}/providers/Microsoft.KeyVault/vaults/{name}"
