"""Seeds of storage accounts, vault keys and access policies."""

import uuid
from typing import Any, Literal

from pydantic import Field

from sandbox.azure.seeds.seeds import (
    Json,
    RoleAssignment,
    Seed,
    group_scope,
)

# Built-in roles by the names of their definitions, which are the same in every tenant.
BLOB_DATA_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
_BLOBS = "Microsoft.Storage/storageAccounts/blobServices"


class StorageAccount(Seed):
    """A storage account in any state.

    `properties` and `encryption` are wire names put over the ordinary ones of a StorageV2 account, raw and unchecked;
    `absent` are wire names then left out of either. `blob_service` likewise over the properties of the blob service.
    """

    subscription: str
    group: str
    name: str
    location: str = "westeurope"
    sku: Json = Field(default_factory=lambda: {"name": "Standard_LRS", "tier": "Standard"})
    kind: str = "StorageV2"
    tags: dict[str, str] = Field(default_factory=dict)
    identity: Json | None = None
    properties: Json = Field(default_factory=dict)
    encryption: Json = Field(default_factory=dict)
    blob_service: Json = Field(default_factory=dict)
    absent: tuple[str, ...] = ()


class VaultKey(Seed):
    """A key of a vault, with its one version. Times in Unix seconds. It has no key material."""

    vault: str
    name: str
    version: str = ""
    enabled: bool = True
    expires: int | None = None
    not_before: int | None = None
    created: int = 1_700_000_000
    kind: Literal["RSA", "RSA-HSM", "EC", "EC-HSM"] = "RSA"
    size: int = 2048


class AccessPolicy(Seed):
    """An access policy of a cache. Every cache has the three built-in ones besides."""

    name: str
    permissions: str


class AccessPolicyAssignment(Seed):
    """An assignment of an access policy of a cache."""

    name: str
    policy: str
    object_id: str
    alias: str = ""


def storage_scope(subscription: str, group: str, name: str) -> str:
    """Return the ARM id of a storage account."""
    return f"{group_scope(subscription, group)}/providers/Microsoft.Storage/storageAccounts/{name}"


def blob_data_contributor(object_id: str, scope: str, **more: Any) -> RoleAssignment:
    """Return the built-in role Storage Blob Data Contributor, with the actions of its definition."""
    return RoleAssignment(
        object_id=object_id,
        scope=scope,
        actions=(f"{_BLOBS}/containers/*", f"{_BLOBS}/generateUserDelegationKey/action"),
        data_actions=(
            f"{_BLOBS}/containers/blobs/read",
            f"{_BLOBS}/containers/blobs/write",
            f"{_BLOBS}/containers/blobs/delete",
            f"{_BLOBS}/containers/blobs/move/action",
            f"{_BLOBS}/containers/blobs/add/action",
        ),
        role=BLOB_DATA_CONTRIBUTOR,
        **more,
    )


def role_of(assignment: RoleAssignment) -> str:
    """Return the name of the role's definition: the given one, else one derived from its actions."""
    if assignment.role:
        return assignment.role.lower()
    actions = "|".join(",".join(part) for part in (assignment.actions, assignment.not_actions, assignment.data_actions))
    return str(uuid.uuid5(uuid.NAMESPACE_URL, actions))


def assignment_name(assignment: RoleAssignment) -> str:
    """Return the assignment's own name."""
    where = f"{assignment.object_id}|{assignment.scope.lower()}|{role_of(assignment)}"
    return str(uuid.uuid5(uuid.NAMESPACE_URL, where))
