"""Commands of the control port for storage accounts, vaults, keys and what stands beside a cache."""

from typing import Any

from sandbox.azure.seeds.seeds import Json
from sandbox.azure.seeds.storage import AccessPolicy, AccessPolicyAssignment
from sandbox.azure.state.world import World

COMMANDS = frozenset(
    {"storage", "storage-update", "storage-remove", "vault-update", "vault-key", "vault-key-remove", "beside-cache"}
)


async def run(world: World, command: str, body: Json) -> Any:
    """Run one of COMMANDS. Raises ValueError with what is wrong."""
    match command:
        case "storage":
            account = world.storage.get(str(body["account"]).lower())
            return account.show(world.names.domain) if account else None
        case "storage-update":
            account = world.storage.get(str(body["account"]).lower())
            if account is None:
                raise ValueError(f"there is no storage account {body['account']!r}")
            account.change(body["properties"], body["encryption"], body["blob_service"], tuple(body["absent"]))
            account.sku = body.get("sku") or account.sku
            account.location = body.get("location") or account.location
        case "storage-remove":
            if world.storage.pop(str(body["account"]).lower(), None) is None:
                raise ValueError(f"there is no storage account {body['account']!r}")
        case "vault-update":
            vault = world.vaults.get(str(body["vault"]).lower())
            if vault is None:
                raise ValueError(f"there is no vault {body['vault']!r}")
            absent = (set(vault.seed.absent) | set(body["absent"])) - set(body["properties"])
            vault.seed = vault.seed.model_copy(
                update={"properties": {**vault.seed.properties, **body["properties"]}, "absent": tuple(absent)}
            )
        case "vault-key":
            place = (str(body["vault"]).lower(), str(body["name"]).lower())
            if place not in world.vault_keys:
                raise ValueError(f"there is no key {body['name']!r} in the vault {body['vault']!r}")
            key = world.vault_keys[place]
            world.vault_keys[place] = type(key).model_validate({**key.model_dump(), **body["change"]})
        case "vault-key-remove":
            world.vault_keys.pop((str(body["vault"]).lower(), str(body["name"]).lower()), None)
        case "beside-cache":
            await _beside(world, body)
    return None


async def _beside(world: World, body: Json) -> None:
    cache = world.caches.get(str(body["cache"]).lower())
    if cache is None:
        raise ValueError(f"there is no cache {body['cache']!r}")
    if "patch_schedule" in body:
        cache.patch_entries = body["patch_schedule"]
    if "access_policies" in body:
        cache.access_policies = tuple(AccessPolicy.model_validate(one) for one in body["access_policies"])
    if "access_assignments" in body:
        cache.access_assignments = tuple(
            AccessPolicyAssignment.model_validate(one) for one in body["access_assignments"]
        )
    if "diagnostics" in body:
        cache.diagnostics = dict(body["diagnostics"])
    await world.changed(cache)
