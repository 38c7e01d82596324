"""Commands that change storage accounts."""

from typing import Any

from sandbox.azure.seeds.seeds import Json
from sandbox.azure.state.world import World

COMMANDS = frozenset({"storage", "storage-update", "storage-remove"})


async def run(world: World, command: str, body: Json) -> Any:
    """Run one of COMMANDS. Raises ValueError with what is wrong."""
    account = world.storage.get(str(body["account"]).lower())
    if command == "storage":
        return account.show(world.names.domain) if account else None
    if account is None:
        raise ValueError(f"there is no storage account {body['account']!r}")
    match command:
        case "storage-update":
            account.change(body["properties"], body["encryption"], body["blob_service"], tuple(body["absent"]))
            account.sku = body.get("sku") or account.sku
            account.location = body.get("location") or account.location
        case "storage-remove":
            world.storage.pop(str(body["account"]).lower())
    return None
