"""What passes remember in this process, and how old what they read may be."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from weakref import WeakValueDictionary

from secure_redis.api.spec.spec import Spec
from secure_redis.domain.observe.cache import OperationFacts
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.keys import Proven
from secure_redis.domain.steady_state import Rest


@dataclass(frozen=True, slots=True)
class Ages:
    """How old an answer may be, in seconds. The cache's and the vault's follow the resource's own interval."""

    of_interval: float = 0.9
    children: float = 900.0
    proof: float = 3600.0
    proof_in_rotation: float = 30.0  # somebody may regenerate a key in the portal meanwhile


@dataclass(slots=True)
class PassState:
    """What one resource's passes remember in this process. Lost at a restart, which is always safe."""

    proofs: dict[tuple[Identity, str, str, str], tuple[Proven, float]] = field(default_factory=dict)
    firewall: tuple[Identity, tuple[FirewallRuleFacts, ...], float] | None = None
    failed: tuple[int, OperationFacts] | None = None  # generation whose write Azure accepted and then failed
    refresh: bool = False  # a refresh was asked for, and not everything could be read since
    direct: bool = False  # something was written: read past the inventory until Azure is at rest
    # The generation for which every consenting workload was looked through for injections that nobody remembers.
    searched: int | None = None
    # The regeneration this process recorded the intent of, and when it was last asked of Azure with no clear answer.
    regeneration: tuple[str, datetime | None] | None = None
    # What the Activity Log was last asked about, and when; in the future while it may not be read.
    asked_about: frozenset[tuple[str, str]] = frozenset()
    asked_again: float = float("-inf")
    told_at: datetime | None = None  # when the status was last written
    storage: object = None  # what was last read of the storage account; `observe_storage` knows it
    managed: object = None  # what was last read of a cluster's database and key; `observe_managed` knows it
    refreshed: str | None = None  # the refresh request that was last seen where surroundings could be read
    rest: tuple[str, Rest] | None = None  # resourceVersion, and the last pass over it, if nothing came of it
    look_within: float | None = None  # seconds until more of the surroundings can be read; None: nothing is missing


class SharedSpecs:
    """One copy of what specs have in common: of a thousand alike only the resourceIDs are kept (2 of 4 KiB each)."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[str, Spec] = WeakValueDictionary()

    def lean(self, rest: Rest) -> Rest:
        """The same, with an equal spec whose parts are shared."""
        spec = rest.resource.spec
        text = spec.model_dump_json(exclude={"resource_id"})
        shared = self._known.get(text)
        if shared is None:
            self._known[text] = spec
            return rest
        lean = shared.model_copy(update={"resource_id": spec.resource_id})
        return replace(rest, resource=replace(rest.resource, spec=lean))
