"""Commands that change vaults, their secrets and their keys, as the owner does."""

from typing import Any

from sandbox.azure.seeds.seeds import Json, SecretVersion
from sandbox.azure.state.keyvault import VaultState
from sandbox.azure.state.world import World

COMMANDS = frozenset(
    {
        "vault-update",
        "vault-remove",
        "vault-key",
        "vault-key-remove",
        "secret-set",
        "secret-change",
        "secret-delete",
        "secret-versions",
    }
)


async def run(world: World, command: str, body: Json) -> Any:
    """Run one of COMMANDS. Raises ValueError with what is wrong."""
    key = (str(body["vault"]).lower(), str(body.get("name", "")).lower())
    match command:
        case "vault-remove":
            world.vaults.pop(key[0], None)
        case "vault-key":
            if key not in world.vault_keys:
                raise ValueError(f"there is no key {body['name']!r} in the vault {body['vault']!r}")
            before = world.vault_keys[key]
            world.vault_keys[key] = type(before).model_validate({**before.model_dump(), **body["change"]})
        case "vault-key-remove":
            world.vault_keys.pop(key, None)
        case "vault-update":
            _update(_vault(world, body["vault"]), body)
        case _:
            return _run_for_secret(_vault(world, body["vault"]), command, body, now=int(world.timeline.now()))
    return None


def _vault(world: World, name: str) -> VaultState:
    found = world.vaults.get(name.lower())
    if found is None:
        raise ValueError(f"there is no vault {name!r}")
    return found


def _update(vault: VaultState, body: Json) -> None:
    absent = (set(vault.seed.absent) | set(body["absent"])) - set(body["properties"])
    vault.seed = vault.seed.model_copy(
        update={"properties": {**vault.seed.properties, **body["properties"]}, "absent": tuple(absent)}
    )


def _run_for_secret(vault: VaultState, command: str, body: Json, *, now: int) -> Any:
    secret = vault.secret(body["name"])
    match command:
        case "secret-set":
            return vault.add(body["name"], SecretVersion.model_validate(body["version"]), now).id
        case "secret-change":
            version = secret.find(body.get("version", "")) if secret else None
            if version is None:
                raise ValueError(f"there is no secret {body['name']!r} with that version")
            for name, value in body["change"].items():
                if name not in ("enabled", "not_before", "expires", "tags", "content_type"):
                    raise ValueError(f"{name!r} cannot be changed in a version")
                setattr(version, name, value)
            version.updated = now
        case "secret-delete":
            if secret is None:
                raise ValueError(f"there is no secret {body['name']!r}")
            secret.deleted_at = now
            secret.being_deleted = bool(body.get("being_deleted", False))
        case "secret-versions":
            return [
                {
                    "version": v.id,
                    "value": v.value,
                    "enabled": v.enabled,
                    "tags": v.tags,
                    "expires": v.expires,
                    "not_before": v.not_before,
                    "created": v.created,
                    "content_type": v.content_type,
                }
                for v in (secret.versions if secret and secret.deleted_at is None else [])
            ]
    return None
