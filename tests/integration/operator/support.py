"""A case: one team, one cache, its key in the vault and one resource for it; and the words that tests use of it."""

import base64
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sandbox.api import Document
from sandbox.azure.seeds import seeds
from sandbox.azure.state.faults import Fault
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import (
    AT_SUBSCRIPTION,
    CACHE_KEYS,
    CACHE_READ,
    CACHE_WRITE,
    SUBSCRIPTION,
    VAULT_READ,
    VAULT_WRITE,
    Team,
    World,
)

REFRESH = "secureredis.io/refresh"
PROVISION = {"location": "westeurope", "redis": {"sku": {"name": "Standard", "capacity": 1}}}
OPEN = {"publicNetworkAccess": "Enabled"}


class Case:
    """One cache and one resource of a team. Cache names are unique in all of Azure, so they carry the team's."""

    def __init__(self, world: World, team: Team, name: str = "c") -> None:
        self.world, self.team, self.control = world, team, world.control
        self.cache = f"{name}-{team.name.removeprefix('team-')}"
        self.document: Document = {}
        self.mark = world.control.log.position()
        self.faults: list[str] = []

    # --- the world around it ----------------------------------------------------------------------------------------

    def exists(self, **changes: Any) -> None:
        """The cache exists: safe, unless `changes` say otherwise."""
        self.world.cache(self.team, self.cache, **changes)

    def store(self, value: str | None = None, **version: Any) -> str:
        """The team stores the primary key (or `value`) in its vault. Returns the version."""
        key = self.keys["Primary"] if value is None else value
        return self.control.keyvault.set_secret(self.team.name, self.cache, seeds.SecretVersion(value=key, **version))

    @property
    def keys(self) -> dict[str, str]:
        """The cache's keys by slot."""
        return self.control.redis.keys(self.cache)

    def change_secret(self, **change: Any) -> None:
        """The vault's owner changes the newest version's attributes."""
        self.control.keyvault.change_secret(self.team.name, self.cache, **change)

    def update(self, properties: dict[str, Any] | None = None, **change: Any) -> None:
        """A user changes the cache in the portal."""
        self.control.redis.update(self.cache, properties, **change)

    def allow(self, *actions: str, scope: str | None = None, data: tuple[str, ...] = ()) -> None:
        """One more role for the team's identity."""
        where = self.team.group_scope if scope is None else scope
        self.control.seed(
            seeds.RoleAssignment(object_id=self.team.object_id, scope=where, actions=actions, data_actions=data)
        )

    def fault(self, **fault: Any) -> None:
        """A fault that hits this team's identity only, until `mend_faults`."""
        fault = {"times": None, "principal": self.team.object_id, **fault}
        self.faults.append(self.control.faults.add(Fault(**fault)))

    def mend_faults(self) -> None:
        """Lift this case's faults."""
        while self.faults:
            self.control.faults.remove(self.faults.pop())

    # --- the resource -----------------------------------------------------------------------------------------------

    def spec(self, *, key: bool = True, annotations: dict[str, str] | None = None, **spec: Any) -> Document:
        """The object as its author writes it. It asks for a refresh from the start, so that `poke` can ask again."""
        self.document = self.world.resource(self.team, self.cache, key=self.cache if key else None, **spec)
        self.document["metadata"]["annotations"] = {REFRESH: "first", **(annotations or {})}
        return self.document

    def apply(self, **options: Any) -> "Case":
        """Apply it as its author; options as of `spec`."""
        self.world.apply(self.spec(**options))
        return self

    def change(self, **spec: Any) -> None:
        """The author edits the spec (JSON merge patch)."""
        self.world.api.merge(self.document, {"spec": spec}).must()

    def annotate(self, **annotations: str | None) -> None:
        """Set the operator's annotations, by their names without the prefix and with `_` for `-`; None removes."""
        named = {f"secureredis.io/{name.replace('_', '-')}": value for name, value in annotations.items()}
        self.world.api.merge(self.document, {"metadata": {"annotations": named}}).must()

    def delete(self) -> None:
        """The author deletes it."""
        self.world.api.delete(self.document).must()

    def published(self, **spec: Any) -> "Case":
        """The cache exists, its key is in the vault, and its Secret is published."""
        self.exists()
        self.store()
        self.apply(**spec)
        self.until("Ready", "True")
        return self

    def poke(self) -> None:
        """Ask for a check now and wait until it is done."""
        self.await_look(self.ask())

    def ask(self) -> str:
        """Ask for a check now. Returns what `await_look` takes."""
        asked = uuid.uuid4().hex[:12]
        self.annotate(refresh=asked)
        return asked

    def await_look(self, asked: str, timeout: float = PATIENCE) -> None:
        """Wait until the check is done."""
        wait_for(lambda: self.status.get("lastHandled", {}).get("refresh") == asked, timeout, "the refresh")

    # --- observations -----------------------------------------------------------------------------------------------

    @property
    def object(self) -> Document:
        """The object as it is now. Fails if it is gone."""
        found = self.world.get(self.document)
        assert found is not None, f"{self.cache} is gone"
        return found

    @property
    def status(self) -> dict[str, Any]:
        """Its status."""
        return dict(self.object.get("status", {}))

    @property
    def uid(self) -> str:
        """Its uid."""
        return str(self.object["metadata"]["uid"])

    def until(self, kind: str, status: str, reason: str | None = None, timeout: float = PATIENCE) -> str:
        """Wait for a condition; its message."""
        return self.world.await_condition(self.document, kind, status, reason, timeout)

    def condition(self, kind: str) -> tuple[str, str, str]:
        """Status, reason and message now."""
        found = self.world.condition(self.document, kind)
        assert found is not None, f"{self.cache} has no condition {kind} for its generation"
        return found

    def has(self, kind: str) -> bool:
        """Whether the condition is there."""
        return self.world.condition(self.document, kind) is not None

    def heal(
        self, kind: str = "Ready", status: str = "True", reason: str | None = None, timeout: float = PATIENCE
    ) -> None:
        """Poke until the condition holds: what is remembered of a failure is forgotten after seconds."""

        def healed() -> bool:
            self.poke()
            found = self.world.condition(self.document, kind)
            return found is not None and found[0] == status and reason in (None, found[1])

        try:
            wait_for(healed, timeout, f"{self.cache} to heal", interval=0.3)
        except TimeoutError:
            self.until(kind, status, reason, 0.1)  # says what it is instead

    def secret(self, name: str | None = None) -> Document | None:
        """The published Secret."""
        return self.world.secret(self.team.namespace, name or self.cache)

    def must_secret(self, name: str | None = None) -> Document:
        """The published Secret, which must be there."""
        found = self.secret(name)
        assert found is not None, f"there is no Secret {name or self.cache}"
        return found

    def values(self, name: str | None = None) -> dict[str, str]:
        """Its values as a pod sees them."""
        return {key: base64.b64decode(text).decode() for key, text in self.must_secret(name)["data"].items()}

    def version(self) -> str:
        """The Secret's resourceVersion."""
        return str(self.must_secret()["metadata"]["resourceVersion"])

    def edit_secret(self, patch: Document) -> None:
        """A user with permissions edits the Secret (JSON merge patch)."""
        self.world.api.merge(self.must_secret(), patch).must()

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """Within, the Secret is not written."""
        before = self.version()
        yield
        assert self.version() == before, "the Secret was written"

    # --- what was asked of Azure ----------------------------------------------------------------------------------

    def calls(self, since: int) -> int:
        """How many requests the team's identity has sent since the mark. All pages of a list are one."""
        own = [r for r in self.control.log.requests(since) if r.principal == self.team.object_id]
        return sum("$skiptoken" not in request.query for request in own)

    def writes(self) -> list[str]:
        """Every write to Azure by the team's identity since this case began: method and path."""
        mine = [w for w in self.control.log.writes(self.mark) if w.principal in (None, self.team.object_id)]
        return [f"{w.method} {w.path.rsplit('/', 2)[-2]}/{w.path.rsplit('/', 1)[-1]}" for w in mine]

    def effects(self) -> list[tuple[str, tuple[str, ...]]]:
        """The changes by those writes: kind and field names."""
        return [(e.kind, e.fields) for e in self.control.log.effects(self.mark) if e.principal == self.team.object_id]


class Bystander(Case):
    """A resource that has nothing to do with what happens to the others."""

    def goes_on(self) -> None:
        """It is Ready, and a new key of its vault still reaches its Secret."""
        held = self.values()["password"]
        slot = "Secondary" if held == self.keys["Primary"] else "Primary"
        self.store(self.keys[slot])

        def arrived() -> bool:
            self.poke()  # more than once where a whole subscription was asked to slow down
            return self.values()["password"] == self.keys[slot]

        wait_for(arrived, PATIENCE, "the bystander's new key", interval=0.3)
        assert self.condition("Ready")[0] == "True"


def provisioning_team(world: World, **options: Any) -> Team:
    """A team whose identity may create caches: names and operations need permissions at the subscription."""
    options.setdefault("cache_actions", CACHE_READ + CACHE_KEYS + CACHE_WRITE)
    options.setdefault("vault_actions", VAULT_READ + VAULT_WRITE)
    team = world.team(**options)
    world.control.seed(
        seeds.RoleAssignment(
            object_id=team.object_id, scope=seeds.subscription_scope(SUBSCRIPTION), actions=AT_SUBSCRIPTION
        )
    )
    return team


def provision(case: Case, **spec: Any) -> dict[str, Any]:
    """Arguments of `apply` for mode Provision: public with one firewall rule, so that there is a route."""
    spec.setdefault("provision", PROVISION)
    spec.setdefault("network", {"publicAccess": "Enabled", "firewallRules": [RULE]})
    return {"key": False, "mode": "Provision", **spec}


RULE = {"name": "here", "startIP": "127.0.0.1", "endIP": "127.0.0.1"}


def release(world: World, team: Team) -> None:
    """Release a team's resources, whatever they wait for, so that they do nothing while other tests run."""
    path = f"/apis/secureredis.io/v1alpha1/namespaces/{team.namespace}/securerediscaches"
    for item in world.api.get(path).must()["items"]:
        named = {"apiVersion": "secureredis.io/v1alpha1", "kind": "SecureRedisCache", "metadata": item["metadata"]}
        world.api.merge(named, {"metadata": {"annotations": {"secureredis.io/abandon": "true"}}})
        world.api.delete(named)
