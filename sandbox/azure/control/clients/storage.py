"""Changes that other people make to storage accounts."""

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.azure.control.port import ControlPort
from sandbox.azure.seeds.seeds import Json


class StorageControl:
    """Reads and changes storage accounts as their owner does."""

    def __init__(self, port: ControlPort) -> None:
        self._command = port.command

    def get(self, account: str) -> Json | None:
        """Return a storage account as ARM shows it, or None if it does not exist."""
        found: Json | None = self._command("storage", {"account": account})
        return found

    def update(
        self,
        account: str,
        properties: Mapping[str, Any] | None = None,
        *,
        encryption: Mapping[str, Any] | None = None,
        blob_service: Mapping[str, Any] | None = None,
        absent: Iterable[str] = (),
        sku: Mapping[str, Any] | None = None,
        location: str | None = None,
    ) -> None:
        """Change an account immediately and unchecked, in wire names. `absent` leaves names out of answers."""
        body = {
            "account": account,
            "properties": dict(properties or {}),
            "encryption": dict(encryption or {}),
            "blob_service": dict(blob_service or {}),
            "absent": list(absent),
            "sku": dict(sku) if sku else None,
            "location": location,
        }
        self._command("storage-update", body)

    def delete(self, account: str) -> None:
        """Delete an account."""
        self._command("storage-remove", {"account": account})
