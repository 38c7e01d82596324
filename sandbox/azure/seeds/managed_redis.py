"""Seeds of Managed Redis clusters with their database."""

from pydantic import Field

from sandbox.azure.seeds.seeds import (
    Json,
    PrivateEndpoint,
    Seed,
    group_scope,
)


class ManagedAssignment(Seed):
    """An access policy assignment of a cluster's database. `error` is its provisioningError, if it has one."""

    name: str
    object_id: str
    access_string: str = "+@all ~*"
    policy: str = "default"
    state: str = "Succeeded"
    error: Json = Field(default_factory=dict)


class ManagedCluster(Seed):
    """A Microsoft.Cache/redisEnterprise cluster in any state, with its database `default`.

    `properties` and `database` are wire names put over the ordinary ones, raw and unchecked (`provisioningState` too);
    `absent` and `database_absent` are wire names then left out. `database` None: the cluster has none.
    """

    subscription: str
    group: str
    name: str
    location: str = "West Europe"
    sku: Json = Field(default_factory=lambda: {"name": "Balanced_B5"})
    tags: dict[str, str] = Field(default_factory=dict)
    zones: tuple[str, ...] = ()
    identity: Json = Field(default_factory=lambda: {"type": "None"})
    properties: Json = Field(default_factory=dict)
    absent: tuple[str, ...] = ()
    private_endpoints: tuple[PrivateEndpoint, ...] = ()
    database: Json | None = Field(default_factory=dict)
    database_absent: tuple[str, ...] = ()
    assignments: tuple[ManagedAssignment, ...] = ()
    primary_key: str | None = Field(default=None, repr=False)
    secondary_key: str | None = Field(default=None, repr=False)


def managed_scope(subscription: str, group: str, name: str) -> str:
    """Return the ARM id of a cluster."""
    return f"{group_scope(subscription, group)}/providers/Microsoft.Cache/redisEnterprise/{name}"


def customer_key(url: str, identity: str | None = None) -> Json:
    """Return the cluster property `encryption` with a key of the customer's own, read by a user-assigned identity."""
    encryption: Json = {"keyEncryptionKeyUrl": url}
    if identity is not None:
        encryption["keyEncryptionKeyIdentity"] = {
            "identityType": "userAssignedIdentity",
            "userAssignedIdentityResourceId": identity,
        }
    return {"customerManagedKeyEncryption": encryption}
