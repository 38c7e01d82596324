"""Changes that other people make to Managed Redis clusters."""

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.azure.control.port import ControlPort
from sandbox.azure.seeds.managed_redis import ManagedAssignment
from sandbox.azure.seeds.seeds import Json, PrivateEndpoint


class ManagedRedisControl:
    """Reads and changes clusters and their databases as the portal's users do."""

    def __init__(self, port: ControlPort) -> None:
        self._command = port.command

    def get(self, cluster: str) -> Json | None:
        """Return a cluster as ARM shows it, or None if it does not exist."""
        found: Json | None = self._command("managed", {"cluster": cluster})
        return found

    def database(self, cluster: str) -> Json | None:
        """Return a cluster's database as the newest API version shows it, or None if it or the cluster is not there."""
        found: Json | None = self._command("managed-database", {"cluster": cluster})
        return found

    def keys(self, cluster: str) -> dict[str, str]:
        """Return the keys of a cluster's database by slot (Primary, Secondary)."""
        return dict(self._command("managed-keys", {"cluster": cluster}))

    def regenerate(self, cluster: str, slot: str) -> str:
        """Regenerate a key immediately. Returns the new one."""
        return str(self._command("managed-regenerate", {"cluster": cluster, "slot": slot}))

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
        """Change a cluster or its database immediately and unchecked, in wire names. `absent` drops names."""
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

    def link(self, cluster: str, *databases: str, nickname: str = "group") -> None:
        """Put a cluster's database into a geo-replication group with these databases, given by their ARM ids."""
        linked = [{"id": one, "state": "Linked"} for one in databases]
        self.update(cluster, database={"geoReplication": {"groupNickname": nickname, "linkedDatabases": linked}})

    def set_assignments(self, cluster: str, *assignments: ManagedAssignment) -> None:
        """Set the access policy assignments of a cluster's database."""
        self._command(
            "managed-assignments", {"cluster": cluster, "assignments": [one.model_dump() for one in assignments]}
        )

    def run_out_of_capacity(self, creations: int = 1) -> None:
        """Make the next creations of clusters end for lack of capacity; 0 ends the lack."""
        self._command("managed-capacity", {"failures": creations})

    def serve_versions(self, region: str, *versions: str) -> None:
        """Make a region serve only these API versions; none given: all."""
        self._command("managed-versions", {"region": region, "versions": list(versions)})

    def take_name(self, name: str, region: str) -> None:
        """Give this name in a region to a cluster of another tenant."""
        self._command("managed-foreign-name", {"name": name, "region": region})
