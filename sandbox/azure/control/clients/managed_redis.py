"""Changes that other people make to Managed Redis clusters."""

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.azure.control.port import ControlPort
from sandbox.azure.seeds.seeds import Json, PrivateEndpoint


class ManagedRedisControl:
    """Reads and changes clusters and their databases as the portal's users do."""

    def __init__(self, port: ControlPort) -> None:
        self._command = port.command

    def get(self, cluster: str) -> Json | None:
        """Return a cluster as ARM shows it, or None if it does not exist."""
        found: Json | None = self._command("managed", {"cluster": cluster})
        return found

    def update(
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
        """Change a cluster or its database at once and unchecked, in wire names. `absent` drops names."""
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
        self._command("managed-update", body)

    def delete(self, cluster: str) -> None:
        """Delete a cluster."""
        self._command("managed-remove", {"cluster": cluster})

    def delete_database(self, cluster: str) -> None:
        """Delete a cluster's database."""
        self._command("managed-database-remove", {"cluster": cluster})

    def listener_fault(self, cluster: str, fault: str | None) -> None:
        """Make a cluster's listener misbehave from the next connection on; None ends the fault."""
        self._command("managed-fault", {"cluster": cluster, "fault": fault})
