"""Keeps which resources each namespace has, and which of them are beyond its limits."""

from collections.abc import Mapping, Set
from typing import Any

from secure_redis.api.resource import Key, key_of
from secure_redis.domain.plan.namespace_limits import Member, NamespaceLimits, beyond


class NamespaceMembers:
    """Gets every resource before the first pass, and each body of the watch; forgets resources that are gone."""

    def __init__(self, limits: NamespaceLimits) -> None:
        self._limits = limits
        self._members: dict[str, dict[str, Member]] = {}
        self._beyond: dict[str, dict[str, str]] = {}  # by namespace and name: why it is not served

    def put(self, body: Mapping[str, Any]) -> None:
        """Take a resource as it is now."""
        if not self._limits.any:
            return
        key, meta = key_of(body), body["metadata"]
        account = ((body.get("spec") or {}).get("identity") or {}).get("serviceAccountName") or ""
        member = Member(key.name, str(meta.get("creationTimestamp") or ""), str(account))
        members = self._members.setdefault(key.namespace, {})
        if members.get(key.name) != member:
            members[key.name] = member
            self._beyond.pop(key.namespace, None)

    def forget(self, key: Key) -> None:
        """Forget a resource that is gone: another one may be served now, from its next pass on."""
        members = self._members.get(key.namespace)
        if members is None or members.pop(key.name, None) is None:
            return
        self._beyond.pop(key.namespace, None)
        if not members:
            del self._members[key.namespace]

    def keep(self, present: Set[Key]) -> None:
        """Keep only these resources, which are all there are, whatever the watch delivered."""
        for namespace, members in list(self._members.items()):
            for name in [name for name in members if Key(namespace, name) not in present]:
                self.forget(Key(namespace, name))

    def beyond_limits(self, key: Key) -> str | None:
        """Explain why this resource is not served, and what to do; None: it is."""
        if key.namespace not in self._members:
            return None
        judged = self._beyond.get(key.namespace)
        if judged is None:
            members = self._members[key.namespace].values()
            judged = self._beyond[key.namespace] = beyond(members, self._limits)
        return judged.get(key.name)
