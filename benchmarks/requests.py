"""Requests, counted where they arrive: in the API server's audit log and in the simulator's request log."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from sandbox.azure.state.request_log import LoggedRequest
from sandbox.chart.install import OPERATOR
from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.cluster import AuditEvent, Cluster

OPERATOR_USER = f"system:serviceaccount:{RELEASE_NAMESPACE}:{OPERATOR}"
_AROUND = re.compile(
    r"/(patchschedules/default|accesspolicies|accesspolicyassignments)$"
    r"|/providers/microsoft\.(authorization|insights|keyvault)/|^/subscriptions/[^/]+/resources$"
)
_SECRET = re.compile(r"^/secrets/[^/]+(?P<rest>/.*)?$")


def operators(cluster: Cluster, since: int, user: str = OPERATOR_USER) -> list[AuditEvent]:
    """Return the operator's requests (or another user's) after an audit position, without its Lease and its watches."""
    return cluster.audit_events(
        since=since,
        user=user,
        where=lambda event: event.resource != "leases" and event.verb != "watch",
    )


def named(event: AuditEvent) -> str:
    """Return the name of a request to the API server: `patch securerediscaches/status`."""
    return f"{event.verb} {event.resource}" + (f"/{event.subresource}" if event.subresource else "")


@dataclass(frozen=True, slots=True)
class AzureCalls:
    """Requests to Azure by kind."""

    tokens: int
    discovery: int  # questions about an authority, before a token: the operator asks none
    list_pages: int  # of caches; refused ones are counted too: a resource waited for them
    list_keys: int
    versions: int  # checks of one secret, and pages of a vault's list of secrets
    values: int
    children: int  # firewall rules
    databases: int  # of clusters of Managed Redis
    surroundings: int  # locks, roles, patch schedules, …: read seldom, and by no resource that waits for it
    challenges: int  # the request without a token that gives the client the token's scope
    writes: int
    other: int

    @property
    def total(self) -> int:
        """Return all but the challenges and the reads of governance."""
        return (
            self.tokens
            + self.discovery
            + self.list_pages
            + self.list_keys
            + self.versions
            + self.values
            + self.children
            + self.databases
            + self.writes
            + self.other
        )


def azure_calls(requests: Iterable[LoggedRequest]) -> AzureCalls:
    """Count the requests of the simulator's log by kind."""
    kinds: Counter[str] = Counter()
    for request in requests:
        kinds[_kind(request)] += 1
    return AzureCalls(**{name: kinds[name] for name in AzureCalls.__slots__})


def _kind(request: LoggedRequest) -> str:
    path = request.path.lower().rstrip("/")
    if request.is_write:
        return "writes"
    if request.service == "vault" or path.startswith("/secrets"):
        if request.status == 401:
            return "challenges"
        return "versions" if path.endswith(("/versions", "/secrets")) else "values"
    if path.endswith("/token"):
        return "tokens"
    if path.endswith(("/discovery/instance", "/openid-configuration")):
        return "discovery"
    if path.endswith("/listkeys"):
        return "list_keys"
    if path.endswith(("/providers/microsoft.cache/redis", "/providers/microsoft.cache/redisenterprise")):
        return "list_pages"
    if path.endswith(("/databases", "/databases/default")):
        return "databases"
    if path.endswith("/firewallrules"):
        return "children"
    if _AROUND.search(path):
        return "surroundings"
    return "other"
