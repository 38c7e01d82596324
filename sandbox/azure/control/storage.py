"""The part of `Control` for storage accounts, vaults, keys and what stands beside a cache."""

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.azure.seeds.storage import AccessPolicy, AccessPolicyAssignment

Json = dict[str, Any]


class StorageControl:
    """Other people's changes. Mixed into `Control`, which sends the commands."""

    def command(self, name: str, body: Mapping[str, Any] | None = None) -> Any:
        """Run a command of the control port."""
        raise NotImplementedError

    def storage_account(self, name: str) -> Json | None:
        """A storage account as ARM shows it; None if it is not there."""
        found: Json | None = self.command("storage", {"account": name})
        return found

    def storage_update(
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
        """Somebody changes an account: at once, unchecked, in wire names. `absent` leaves names out of answers."""
        body = {
            "account": account,
            "properties": dict(properties or {}),
            "encryption": dict(encryption or {}),
            "blob_service": dict(blob_service or {}),
            "absent": list(absent),
            "sku": dict(sku) if sku else None,
            "location": location,
        }
        self.command("storage-update", body)

    def storage_remove(self, account: str) -> None:
        """Somebody deletes an account."""
        self.command("storage-remove", {"account": account})

    def vault_update(self, vault: str, properties: Mapping[str, Any], *, absent: Iterable[str] = ()) -> None:
        """Somebody changes a vault's properties in the management plane, in wire names."""
        self.command("vault-update", {"vault": vault, "properties": dict(properties), "absent": list(absent)})

    def change_key(self, vault: str, name: str, **change: Any) -> None:
        """The vault's owner changes a key: enabled, expires, not_before, version, kind, size."""
        self.command("vault-key", {"vault": vault, "name": name, "change": change})

    def remove_key(self, vault: str, name: str) -> None:
        """The vault's owner deletes a key."""
        self.command("vault-key-remove", {"vault": vault, "name": name})

    def patch_schedule(self, cache: str, entries: Iterable[Mapping[str, Any]] | None) -> None:
        """The platform team sets a cache's patch schedule, in wire names; None takes it away."""
        shown = None if entries is None else [dict(entry) for entry in entries]
        self.command("beside-cache", {"cache": cache, "patch_schedule": shown})

    def diagnostics(self, cache: str, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """The platform team sets a cache's diagnostic settings: wire properties by name."""
        self.command("beside-cache", {"cache": cache, "diagnostics": {n: dict(p) for n, p in settings.items()}})

    def access_policies(self, cache: str, *policies: AccessPolicy) -> None:
        """The platform team sets a cache's own access policies; the built-in ones stay."""
        self.command("beside-cache", {"cache": cache, "access_policies": [one.model_dump() for one in policies]})

    def access_assignments(self, cache: str, *assignments: AccessPolicyAssignment) -> None:
        """The platform team says who has which access policy of a cache."""
        self.command("beside-cache", {"cache": cache, "access_assignments": [one.model_dump() for one in assignments]})
