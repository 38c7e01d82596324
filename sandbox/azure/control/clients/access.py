"""Changes that administrators make to tokens, role assignments, locks and policies."""

from sandbox.azure.control.port import ControlPort


class AccessControl:
    """Takes away what administrators gave."""

    def __init__(self, port: ControlPort) -> None:
        self._command = port.command

    def revoke_tokens(self, object_id: str) -> None:
        """Revoke every token issued to the object so far. Each is then answered with a claims challenge."""
        self._command("revoke", {"object_id": object_id})

    def unassign(self, object_id: str, scope: str | None = None) -> int:
        """Remove the role assignments of an object (at exactly one scope). Returns how many."""
        return int(self._command("unassign", {"object_id": object_id, "scope": scope}))

    def delete_lock(self, name: str) -> None:
        """Remove a lock."""
        self._command("unlock", {"name": name})

    def delete_policy(self, name: str) -> None:
        """Remove a policy."""
        self._command("policy-remove", {"name": name})
