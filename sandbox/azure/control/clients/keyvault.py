"""Changes that a vault's owner makes to the vault, its secrets and its keys."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.azure.control.port import ControlPort
from sandbox.azure.seeds.seeds import SecretVersion


@dataclass(frozen=True, slots=True)
class SecretState:
    """A version of a vault secret as the vault stores it."""

    version: str
    value: str = field(repr=False)
    enabled: bool
    tags: dict[str, str] | None
    expires: int | None
    not_before: int | None
    created: int
    content_type: str | None


class KeyVaultControl:
    """Reads and changes vaults as their owner does."""

    def __init__(self, port: ControlPort) -> None:
        self._command = port.command

    def update(self, vault: str, properties: Mapping[str, Any], *, absent: Iterable[str] = ()) -> None:
        """Change a vault's properties in the management plane, in wire names."""
        self._command("vault-update", {"vault": vault, "properties": dict(properties), "absent": list(absent)})

    def delete(self, vault: str) -> None:
        """Delete a vault. Its host still resolves."""
        self._command("vault-remove", {"vault": vault})

    def set_secret(self, vault: str, name: str, version: SecretVersion | str) -> str:
        """Store a version, which becomes the newest. Returns its id."""
        given = SecretVersion(value=version) if isinstance(version, str) else version
        return str(self._command("secret-set", {"vault": vault, "name": name, "version": given.model_dump()}))

    def change_secret(self, vault: str, name: str, version: str = "", **change: Any) -> None:
        """Change enabled, not_before, expires, tags or content_type of a version (the newest by default)."""
        self._command("secret-change", {"vault": vault, "name": name, "version": version, "change": change})

    def delete_secret(self, vault: str, name: str, *, being_deleted: bool = False) -> None:
        """Delete a secret. Its name stays taken."""
        self._command("secret-delete", {"vault": vault, "name": name, "being_deleted": being_deleted})

    def secret_versions(self, vault: str, name: str) -> list[SecretState]:
        """Return the versions of a secret with their values, oldest first; none if it does not exist."""
        return [SecretState(**one) for one in self._command("secret-versions", {"vault": vault, "name": name})]

    def change_key(self, vault: str, name: str, **change: Any) -> None:
        """Change a key: enabled, expires, not_before, version, kind, size."""
        self._command("vault-key", {"vault": vault, "name": name, "change": change})

    def delete_key(self, vault: str, name: str) -> None:
        """Delete a key."""
        self._command("vault-key-remove", {"vault": vault, "name": name})
