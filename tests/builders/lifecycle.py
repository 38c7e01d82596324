"""The world of `rotations` with a cache that the operator may create, adopt, correct and delete.

Every write that cannot be undone is checked here against what is true, whatever the status claims: a guard raises
AssertionError. Azure takes as long as `BUSY`, and the cluster replaces one pod of each workload in a pass.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.disruption import allowed
from secure_redis.domain.observe.cache import CacheAbsent
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import PersistenceFacts, Redis
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from secure_redis.domain.observe.workloads import SecretUser, WorkloadFacts
from secure_redis.domain.plan import secret_removal, windows
from secure_redis.domain.plan.actions import (
    Action,
    AddFinalizer,
    AdoptCache,
    ApplySecret,
    CreateCache,
    DeleteCache,
    DeleteFirewallRule,
    DeleteSecret,
    InjectWorkload,
    PersistCache,
    PutFirewallRule,
    ReleaseWorkload,
    RemoveFinalizer,
    UpdateCache,
)
from secure_redis.domain.plan.outcomes import Failed, Outcome
from secure_redis.domain.plan.rollout import disruption_budgets
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.reconciler.observe.direct_reads import about_to_create, needs_direct_read
from tests.builders import passes
from tests.builders.rotation_stage import Pod
from tests.builders.rotations import World
from tests.builders.storage import PRINCIPAL, storage
from tests.builders.workloads import done
from tests.builders.world import CLUSTER, UID

BUSY: Final = timedelta(seconds=60)
CONFIRMATION: Final = timedelta(seconds=60)  # between two 404s, the default
FORBIDDEN: Final = WriteFailure(Reason.DENIED_BY_POLICY, "policy 'sku' forbids it", permanent=True)
UNREADABLE_ROLES: Final = Unknown(Reason.AZURE_DENIED, "role assignments cannot be read")
OWNED: Final = f"{CLUSTER}.{UID}"


@dataclass
class Life(World):
    """One resource from its creation to its deletion. `spec`: what it declares besides what `World` adds.

    `acts`: what was done that cannot be undone, in order. `existed`: whether this resource's cache was ever there.
    `forbidden`: Azure refuses to create a cache. `reverted`: how often another party still reopens the plaintext port.
    """

    spec: dict[str, Any] = field(default_factory=dict)
    generation: int = 1
    deleting: bool = False
    rules: tuple[FirewallRuleFacts, ...] = ()
    acts: list[str] = field(default_factory=list)
    existed: bool = False
    forbidden: bool = False
    reverted: int = 0
    until: datetime | None = None  # when Azure has done what it is doing
    _parsed: tuple[dict[str, Any], Any, SecureRedisCache] | None = None

    # --- what others do ---------------------------------------------------------------------------------------------

    def annotate(self, name: str, value: str | None) -> None:
        """Set an annotation of the resource, as its author may."""
        self._annotate(name, value)

    def start(self, of: str | None = None) -> Pod:
        """Start a pod. One of a workload without the injection holds nothing."""
        if of is None or self._injected(self.workloads[of]):
            return super().start(of)
        self.pod_count += 1
        pod = Pod(f"{of}-{self.pod_count}", "", self.now, of, state={"uses": False})
        self.pods.append(pod)
        return pod

    def declared(self) -> dict[str, Any]:
        """Return the spec, without the cache's id."""
        return {**super().declared(), **self.spec}

    def resource(self) -> SecureRedisCache:
        """Return the resource as the API server delivers it."""
        key = (dict(self.annotations), self.finalizer, self.deleting, self.generation)
        if self._parsed is not None and self._parsed[0] is self.status and self._parsed[1] == key:
            return self._parsed[2]  # a pass asks for it several times
        made = passes.resource(
            self.declared(),
            annotations=self.annotations,
            status=self.status,
            finalizer=self.finalizer,
            deleting=self.deleting,
        )
        made = replace(made, generation=self.generation)
        self._parsed = (self.status, key, made)
        return made

    # --- one pass ---------------------------------------------------------------------------------------------------

    def observe(self) -> Observation:
        """Read once, as the observer does."""
        self._let_azure_work()
        res, memory = self.resource(), self.memory
        memory.direct = memory.direct or needs_direct_read(res)
        observed = super().observe()
        if isinstance(self.cache, Redis):
            memory.existed, memory.absent_since = True, None
            observed = replace(observed, firewall_rules=self.rules, storage=storage(), storage_roles=UNREADABLE_ROLES)
        elif isinstance(self.cache, CacheAbsent):
            memory.absent_since = memory.absent_since or self.now
            absent = replace(self.cache, confirmed=self._certainly_absent())
            free = True if absent.confirmed and about_to_create(res) else NOT_READ
            observed = replace(observed, cache=absent, cache_fresh=True, name_available=free)
        observed = replace(observed, cache_existed=memory.existed)
        version = self.secret.annotations.get(names.SECRET_VERSION) if self.secret is not None else None
        if not disruption_budgets.needs_budgets(res, self.workloads.values(), version):
            observed = replace(observed, budgets=NOT_READ)
        if secret_removal.needs_users(res, observed):
            observed = replace(observed, secret_users=self._users())
        return observed

    def perform(self, action: Action) -> Outcome:
        """Check a write against what is true, then do it."""
        self._guard(action)
        if self.forbidden and isinstance(action, CreateCache):
            return Failed(action, FORBIDDEN)
        if not isinstance(action, ApplySecret | AddFinalizer) and (
            self.deleting or not isinstance(action, RemoveFinalizer)
        ):
            self.acts.append(described(action))
        return super().perform(action)

    def next_pass(self) -> None:
        """Run one pass, and wait for the next one as long as the operator does. Controllers work meanwhile."""
        _, reported = self.look()
        for name in self.workloads:
            self.roll(name)
        if self.reverted and isinstance(self.cache, Redis) and not self.cache.plaintext_open:
            self.reverted -= 1
            self.change_cache(plaintext_open=True)
        self.pass_time(max(reported.next_pass_in, 1.0))

    def condition(self, kind: str) -> str | None:
        """Return the reason of a condition in the status."""
        found = (one["reason"] for one in self.status.get("conditions", ()) if one["type"] == kind)
        return next(found, None)

    # --- Azure and the cluster --------------------------------------------------------------------------------------

    def _let_azure_work(self) -> None:
        if self.until is None or self.now < self.until or not isinstance(self.cache, Redis):
            return
        if self.cache.provisioning_state == "Deleting":
            self.cache = CacheAbsent(confirmed=False, message="no such cache")
        else:
            self.change_cache(provisioning_state="Succeeded")
        self.until = None

    def _do(self, action: Action) -> None:
        match action:
            case CreateCache():
                self._create(action)
            case UpdateCache():
                self._update(action)
            case AdoptCache():
                self.change_cache(tags=dict(action.tags))
            case PersistCache():
                on = PersistenceFacts(
                    rdb=True, rdb_frequency_minutes=60, authentication="ManagedIdentity", account="shopdata"
                )
                self.change_cache(persistence=on)
            case PutFirewallRule():
                self.rules = (*self.rules, action.rule)
            case DeleteFirewallRule():
                self.rules = tuple(rule for rule in self.rules if rule.name != action.name)
            case DeleteCache():
                self.change_cache(provisioning_state="Deleting")
                self.until = self.now + BUSY
            case ReleaseWorkload():
                self.workloads[action.name] = replace(done(self.workloads[action.name], action, self.now), rolled=False)
            case DeleteSecret():
                self.secret = None
            case _:
                super()._do(action)

    def _create(self, action: CreateCache) -> None:
        access = action.body["properties"]["publicNetworkAccess"]
        self.cache = passes.cache(
            tags=dict(action.body["tags"]),
            provisioning_state="Creating",
            public_network_access=access,
            private_endpoints=(),
        )
        self.existed, self.until = True, self.now + BUSY

    def _update(self, action: UpdateCache) -> None:
        changed = action.body.get("properties", {})
        known = {"publicNetworkAccess": "public_network_access", "enableNonSslPort": "plaintext_open"}
        assert changed.keys() <= known.keys(), f"this world knows no {changed.keys() - known.keys()}"
        self.change_cache(**{known[name]: value for name, value in changed.items()})
        if "tags" in action.body:
            self.change_cache(tags=dict(action.body["tags"]))
        if "identity" in action.body:
            self.change_cache(identity_type=action.body["identity"]["type"], principal_id=PRINCIPAL)

    def _users(self) -> tuple[SecretUser, ...]:
        return tuple(
            SecretUser("orders", "Pod", pod.name, None if pod.of is None else ("Deployment", pod.of))
            for pod in self.pods
            if pod.key
        )

    def _injected(self, facts: WorkloadFacts) -> bool:
        return names.version_annotation("orders") in facts.template_annotations

    def _certainly_absent(self) -> bool:
        since = self.memory.absent_since
        return since is not None and self.now - since >= CONFIRMATION

    # --- what must be true ------------------------------------------------------------------------------------------

    def _guard(self, action: Action) -> None:
        """Raise where the action is not allowed by what is true."""
        owned = isinstance(self.cache, Redis) and self.cache.tags.get(names.OWNER_TAG) == OWNED
        match action:
            case CreateCache():
                assert isinstance(self.cache, CacheAbsent), "created over a cache that is there"
                assert self._certainly_absent(), "created after one 404"
                assert not self.existed, "created again, although its data was lost"
            case AdoptCache():
                assert isinstance(self.cache, Redis)
                assert names.OWNER_TAG not in self.cache.tags, "taken from its owner"
                assert self.annotations.get(names.ADOPT) == "orders", "adopted without a request"
            case DeleteCache():
                assert owned, "deleted a cache that is not ours"
                assert self.deleting, "deleted the cache of a resource that is there"
                assert self.annotations.get(names.CONFIRM_DELETE) == "orders", "deleted without a confirmation"
            case UpdateCache():
                assert owned, "changed a cache that is not ours"
                self._guard_update(action)
            case PutFirewallRule() | DeleteFirewallRule():
                assert owned, "changed a cache that is not ours"
            case PersistCache():
                assert owned, "changed a cache that is not ours"
                assert self.annotations.get(names.CONFIRM_STORAGE_ROLE) == "shopdata", "persists without its role"
            case DeleteSecret():
                assert self.deleting, "deleted the Secret of a resource that is there"
                assert not self._users(), "deleted a Secret that pods use"
            case RemoveFinalizer() if self.deleting:
                assert isinstance(self.cache, CacheAbsent), "left before the cache was deleted"
                assert self.secret is None, "left before the Secret was deleted"
            case ReleaseWorkload() if self.deleting:
                assert isinstance(self.cache, CacheAbsent), "released before the cache was deleted"
                self._guard_workload(action)
            case InjectWorkload() | ReleaseWorkload():
                self._guard_workload(action)
            case _:
                pass

    def _guard_update(self, action: UpdateCache) -> None:
        """Check what only the author may allow: to cut clients off, and to change something outside its window."""
        res, access = self.resource(), action.body.get("properties", {}).get("publicNetworkAccess")
        if access == "Disabled":
            assert allowed(res, "network.publicAccess"), "cut all clients off without a request"
        if "enableNonSslPort" in action.body.get("properties", {}):
            assert windows.is_open(res.spec.drift.windows, self.now), "corrected outside its window"
        assert isinstance(self.cache, Redis)
        before, after = (tags.get(names.CREATION_TAG) for tags in (self.cache.tags, action.body.get("tags", {})))
        if "tags" in action.body and before == names.CREATION_INCOMPLETE and res.spec.network.firewall_rules:
            assert self.rules, "the network counts as brought before its rules are"
            assert "Enabled" in {access, self.cache.public_network_access}, "the network counts as brought before it is"
        if "tags" in action.body and before is not None and after is None:
            assert self.cache.persistence.on, "the creation counts as complete before it is"

    def _guard_workload(self, action: InjectWorkload | ReleaseWorkload) -> None:
        facts, settings = self.workloads[action.name], self.resource().spec.authentication
        rolling = [name for name, one in self.workloads.items() if name != action.name and not one.rolled]
        assert not rolling, f"{action.name} rolls beside {rolling}"
        place = (facts.kind, facts.name)
        exhausted = [one.name for one in self.budgets if place in one.covers and one.allowed <= 0]
        assert not exhausted, f"{action.name} rolls against {exhausted}"
        if isinstance(action, ReleaseWorkload):
            return
        assert facts.labels.get(names.INJECT) == "true", "injected without consent"
        assert settings is not None
        if facts.owned.anything:
            inside = windows.is_open(settings.rotation.windows, self.now) or allowed(self.resource(), "workloads")
            assert inside, "moved outside its window"


def described(action: Action) -> str:
    """Name an action and what it changes."""
    match action:
        case InjectWorkload() | ReleaseWorkload():
            what = action.name
        case UpdateCache():
            what = ", ".join(action.fields)
        case PutFirewallRule():
            what = action.rule.name
        case _:
            what = ""
    return f"{type(action).__name__} {what}".strip()
