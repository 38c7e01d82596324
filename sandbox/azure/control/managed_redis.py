"""The part of `Control` for Managed Redis clusters."""

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.azure.seeds.seeds import PrivateEndpoint

Json = dict[str, Any]


class ManagedControl:
    """Other people's changes. Mixed into `Control`, which sends the commands."""

    def command(self, name: str, body: Mapping[str, Any] | None = None) -> Any:
        """Run a command of the control port."""
        raise NotImplementedError

    def managed(self, cluster: str) -> Json | None:
        """A cluster as ARM shows it; None if it is not there."""
        found: Json | None = self.command("managed", {"cluster": cluster})
        return found

    def managed_update(
        self,
        cluster: str,
        properties: Mapping[str, Any] | None = None,
        *,
        database: Mapping[str, Any] | None = None,
        absent: Iterable[str] = (),
        database_absent: Iterable[str] = (),
        tags: Mapping[str, str] | None = None,
        sku: Mapping[str, Any] | None = None,
        private_endpoints: Iterable[PrivateEndpoint] | None = None,
        diagnostics: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Somebody changes a cluster or its database: at once, unchecked, in wire names. `absent` leaves names out."""
        endpoints = None if private_endpoints is None else [one.model_dump() for one in private_endpoints]
        body = {
            "cluster": cluster,
            "properties": dict(properties or {}),
            "database": dict(database or {}),
            "absent": list(absent),
            "database_absent": list(database_absent),
            "tags": None if tags is None else dict(tags),
            "sku": None if sku is None else dict(sku),
            "private_endpoints": endpoints,
            "diagnostics": None if diagnostics is None else {name: dict(one) for name, one in diagnostics.items()},
        }
        self.command("managed-update", body)

    def managed_remove(self, cluster: str) -> None:
        """Somebody deletes a cluster."""
        self.command("managed-remove", {"cluster": cluster})

    def managed_database_remove(self, cluster: str) -> None:
        """Somebody deletes a cluster's database."""
        self.command("managed-database-remove", {"cluster": cluster})

    def managed_fault(self, cluster: str, fault: str | None) -> None:
        """A cluster's listener misbehaves from the next connection on, or behaves again (None)."""
        self.command("managed-fault", {"cluster": cluster, "fault": fault})
