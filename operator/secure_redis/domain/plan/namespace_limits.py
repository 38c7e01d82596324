"""Limit how many resources and identities of a namespace are served, the oldest first."""

from collections.abc import Iterable
from dataclasses import dataclass

from secure_redis.api import names


@dataclass(frozen=True, slots=True)
class NamespaceLimits:
    """The most per namespace; 0: no limit. `identities`: different ServiceAccounts, whose tokens are exchanged."""

    resources: int = 100
    identities: int = 10

    @property
    def any(self) -> bool:
        """Whether there is something to count."""
        return bool(self.resources or self.identities)


@dataclass(frozen=True, slots=True)
class Member:
    """A resource that is counted. `created`: RFC 3339 as the API server set it, which compares as text."""

    name: str
    created: str
    service_account: str  # as the spec declares it; empty: the default one

    @property
    def identity(self) -> str:
        """Return the ServiceAccount that is used; for an empty name, the default one."""
        return self.service_account or names.DEFAULT_SERVICE_ACCOUNT


def beyond(members: Iterable[Member], limits: NamespaceLimits) -> dict[str, str]:
    """Find the resources of one namespace that are not served, each with a message. The oldest are served.

    Of equally old ones the name decides. A resource beyond one limit does not count towards the other.
    """
    messages: dict[str, str] = {}
    served, identities = 0, set[str]()
    for member in sorted(members, key=lambda one: (one.created, one.name)):
        if limits.resources and served >= limits.resources:
            messages[member.name] = (
                f"the operator serves at most {limits.resources} SecureRedisCaches of a namespace, the oldest first: "
                "delete some, use another namespace, or have limits.resourcesPerNamespace raised. Nothing is read from "
                "Azure for this one; a Secret that it published stays."
            )
        elif limits.identities and member.identity not in identities and len(identities) >= limits.identities:
            messages[member.name] = (
                f"the SecureRedisCaches of a namespace may use at most {limits.identities} ServiceAccounts, those of "
                "the oldest first: use one of those in spec.identity, or have limits.identitiesPerNamespace raised. "
                "Nothing is read from Azure for this one; a Secret that it published stays."
            )
        else:
            served += 1
            identities.add(member.identity)
    return messages
