"""What else rules look at: how workloads connect, where the key lies besides, and who changed the cache."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class PlaintextUse:
    """A workload's environment that names the cache without TLS. The value itself is not kept: it may hold a key.

    `source`: `env`, or the ConfigMap that the value comes from.
    """

    kind: str
    name: str
    container: str
    variable: str
    source: str = "env"


@dataclass(frozen=True, slots=True)
class SecretCopy:
    """A Secret that we did not write and that holds the published key. Names only."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class Change:
    """A write to the cache's settings, from the activity log. `ours`: by the identity that serves this resource."""

    at: datetime
    caller: str
    operation: str
    ours: bool
