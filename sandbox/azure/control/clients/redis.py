"""Changes that other people make to caches."""

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.azure.control.port import ControlPort
from sandbox.azure.seeds.seeds import FirewallRule, Json
from sandbox.azure.seeds.storage import AccessPolicy, AccessPolicyAssignment


class RedisControl:
    """Reads and changes caches as the portal's users and the platform team do."""

    def __init__(self, port: ControlPort) -> None:
        self._command = port.command

    def get(self, cache: str) -> Json | None:
        """Return a cache as a reader without delay sees it, or None if it does not exist."""
        found: Json | None = self._command("cache", {"cache": cache})
        return found

    def keys(self, cache: str) -> dict[str, str]:
        """Return a cache's keys by slot (Primary, Secondary)."""
        return dict(self._command("cache-keys", {"cache": cache}))

    def update(
        self,
        cache: str,
        properties: Mapping[str, Any] | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        firewall_rules: Iterable[FirewallRule] | None = None,
        absent: Iterable[str] = (),
        location: str | None = None,
        busy: bool | None = None,
    ) -> None:
        """Change a cache immediately and unchecked, in wire names, also `provisioningState`. `absent` drops names."""
        rules = None if firewall_rules is None else [rule.model_dump() for rule in firewall_rules]
        body = {"cache": cache, "properties": dict(properties or {}), "tags": tags, "firewall_rules": rules}
        self._command("cache-update", {**body, "absent": list(absent), "location": location, "busy": busy})

    def regenerate(self, cache: str, slot: str) -> str:
        """Regenerate a key. Returns the new one."""
        return str(self._command("cache-regenerate", {"cache": cache, "slot": slot}))

    def delete(self, cache: str) -> None:
        """Delete a cache immediately."""
        self._command("cache-remove", {"cache": cache})

    def listener_fault(self, cache: str, fault: str | None) -> None:
        """Make a cache's listener misbehave from the next connection on; None ends the fault.

        `hang`, `reset`, `http`, `wrong-certificate` or `expired-certificate`.
        """
        self._command("redis-fault", {"cache": cache, "fault": fault})

    def set_private_endpoint(self, cache: str, name: str, status: str = "Pending") -> None:
        """Request, approve (Approved) or reject (Rejected) a private endpoint."""
        self._command("private-endpoint", {"cache": cache, "endpoint": {"name": name, "status": status}})

    def patch_schedule(self, cache: str) -> list[Json]:
        """Return the entries of a cache's patch schedule, in wire names; empty: there is none."""
        return list(self._command("patch-schedule", {"cache": cache}))

    def set_patch_schedule(self, cache: str, entries: Iterable[Mapping[str, Any]] | None) -> None:
        """Set a cache's patch schedule, in wire names; None removes it."""
        shown = None if entries is None else [dict(entry) for entry in entries]
        self._command("beside-cache", {"cache": cache, "patch_schedule": shown})

    def set_diagnostics(self, cache: str, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """Set a cache's diagnostic settings: wire properties by name."""
        self._command("beside-cache", {"cache": cache, "diagnostics": {n: dict(p) for n, p in settings.items()}})

    def set_access_policies(self, cache: str, *policies: AccessPolicy) -> None:
        """Set a cache's own access policies. The built-in ones stay."""
        self._command("beside-cache", {"cache": cache, "access_policies": [one.model_dump() for one in policies]})

    def set_access_assignments(self, cache: str, *assignments: AccessPolicyAssignment) -> None:
        """Set who has which access policy of a cache."""
        self._command("beside-cache", {"cache": cache, "access_assignments": [one.model_dump() for one in assignments]})

    def take_name(self, name: str) -> None:
        """Give this name to a cache of another tenant."""
        self._command("foreign-name", {"name": name})
