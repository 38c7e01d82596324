"""Work of an operator that a crash must not spoil: how each thing is set up, begun, and recognised when done."""

import base64
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.api import Document
from sandbox.azure.seeds import seeds
from sandbox.services import CLASSIC, CacheControl, Service, store_key
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import (
    CACHE_KEYS,
    CACHE_READ,
    CACHE_ROTATE,
    CACHE_WRITE,
    SUBSCRIPTION,
    VAULT_READ,
    VAULT_WRITE,
    Team,
    World,
)
from secure_redis.api import names

Json = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """One run of a scenario: a team, its cache's name and its resource."""

    world: World
    team: Team
    name: str
    document: Document
    service: Service = CLASSIC

    @property
    def control(self) -> CacheControl:
        """Return the control by which other people change the cache."""
        return self.service.control(self.world.control)

    @property
    def keys(self) -> dict[str, str]:
        """The cache's keys by slot; empty where there is no cache."""
        return self.control.keys(self.name) if self.control.get(self.name) else {}

    def conditions(self) -> dict[str, tuple[str, str]]:
        """Status and reason by type, of the current generation; empty where the object is gone."""
        found = self.world.get(self.document)
        if found is None:
            return {}
        listed = found.get("status", {}).get("conditions", [])
        generation = found["metadata"]["generation"]
        return {c["type"]: (c["status"], c["reason"]) for c in listed if c.get("observedGeneration") == generation}

    def refresh(self) -> None:
        """Request a fresh read of everything."""
        annotation = {"metadata": {"annotations": {"secureredis.io/refresh": uuid.uuid4().hex}}}
        self.world.api.merge(self.document, annotation).must()

    def secret_uid(self) -> str | None:
        """The published Secret's uid; None where there is none."""
        secret = self.world.secret(self.team.namespace, self.name)
        return None if secret is None else str(secret["metadata"]["uid"])

    def end(self) -> Json:
        """Everything that must be the same in the end, whatever happened on the way."""
        found = self.world.get(self.document)
        status: Json = (found or {}).get("status", {})
        versions = self.world.control.keyvault.secret_versions(self.team.name, self.name)
        keys = self.keys
        return {
            "resource": found is not None,
            "finalizers": (found or {}).get("metadata", {}).get("finalizers"),
            "conditions": self.conditions(),
            "pending": status.get("pending"),
            "drift": [entry["path"] for entry in status.get("drift", [])],
            "binding": status.get("binding", {}).get("name") == self.name,
            "slot": status.get("credential", {}).get("slot"),
            "version": status.get("credential", {}).get("keyVaultVersion")
            == (versions[-1].version if versions else None),
            "vault": [_slot(keys, version.value) for version in versions],
            "azure": self.azure(),
            "secret": self._secret(found, keys),
        }

    def dangers(self) -> list[str]:
        """Return what must never be true, not for a moment: a key that is published or in use and not accepted."""
        keys = self.keys
        versions = self.world.control.keyvault.secret_versions(self.team.name, self.name)
        secret = self.world.secret(self.team.namespace, self.name)
        found: list[str] = []
        if versions and keys and versions[-1].value not in keys.values():
            found.append("the vault holds a dead key")
        if secret is not None and keys and _slot(keys, _decoded(secret)["password"]) not in keys:
            found.append("the Secret holds a dead key")
        return found

    def others(self) -> None:
        """Do what other people do when they are asked to: called again and again while something is awaited."""

    def clean(self) -> None:
        """Remove everything of this run that could disturb the next."""

    def azure(self) -> Json | None:
        """Return the state to compare in the end: of the cache, and of its database, where that is another object."""
        cache = self.control.get(self.name)
        if cache is None:
            return None
        properties = cache["properties"]
        compared = ("provisioningState", "enableNonSslPort", "minimumTlsVersion", "publicNetworkAccess", "sku")
        shown = {"tags": sorted(cache.get("tags") or {}), **{name: properties.get(name) for name in compared}}
        if self.service is CLASSIC:
            return shown
        database = self.world.control.managed_redis.database(self.name) or {}
        serving = {name: properties.get(name) for name in ("resourceState", "redundancyMode")}
        return {**shown, **serving, "size": cache["sku"], "database": database.get("properties")}

    def effects(self, since: int = 0) -> list[str]:
        """Return the changes in Azure and Key Vault, in order."""
        return [e.kind for e in self.world.control.log.effects(since) if f"/{self.name}" in e.target.lower()]

    def _secret(self, resource: Document | None, keys: dict[str, str]) -> Json | None:
        secret = self.world.secret(self.team.namespace, self.name)
        if secret is None:
            return None
        values = _decoded(secret)
        owner = secret["metadata"].get("annotations", {}).get("secureredis.io/resource-uid")
        return {
            "type": secret["type"],
            "keys": sorted(values),
            "password": _slot(keys, values["password"]) if keys else "?",
            "uri": values["uri"].startswith("rediss://"),
            "owned": resource is not None and owner == resource["metadata"]["uid"],
            "references": secret["metadata"].get("ownerReferences"),
            "labels": sorted(secret["metadata"].get("labels", {})),
        }


@dataclass(frozen=True)
class Scenario:
    """`prepare` seeds the world, `begin` (while the operator runs) leads up to `trigger`, and `done` finds the end."""

    name: str
    prepare: Callable[[Stage], None]
    spec: Callable[[Stage], Json]
    trigger: Callable[[Stage], None]
    done: Callable[[Stage], bool]
    begin: Callable[[Stage], None] | None = None
    writes: bool = True
    rotates: bool = False
    loses_secret: bool = False  # the published Secret goes in the end
    made: type[Stage] = Stage
    service: Service = CLASSIC

    def stage(self, world: World) -> Stage:
        """A fresh team and cache name, seeded."""
        actions: tuple[str, ...] = CACHE_READ + CACHE_KEYS + (CACHE_WRITE if self.writes else ())
        actions += CACHE_ROTATE if self.rotates else ()
        team = world.team(cache_actions=actions, vault_actions=VAULT_READ + (VAULT_WRITE if self.writes else ()))
        if self.writes:  # names are asked for at the subscription, whatever the group
            scope, asks = seeds.subscription_scope(SUBSCRIPTION), ("Microsoft.Cache/checknameavailability/action",)
            world.control.seed(seeds.RoleAssignment(object_id=team.object_id, scope=scope, actions=asks))
        name = f"c-{uuid.uuid4().hex[:10]}"
        document = world.resource(team, name, key=name, resourceID=self.service.id(team, name))
        stage = self.made(world, team, name, document, self.service)
        stage.document["spec"].update(self.spec(stage))
        self.prepare(stage)
        return stage


def _decoded(secret: Document) -> dict[str, str]:
    return {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}


def _slot(keys: dict[str, str], value: str) -> str:
    return next((slot for slot, key in keys.items() if key == value), "none of the keys")


def apply(stage: Stage) -> None:
    stage.world.apply(stage.document)


def read_write(stage: Stage) -> Json:
    """The part of the spec that lets the operator store keys."""
    authentication = stage.document["spec"]["authentication"]
    return {"authentication": {"keyVault": {**authentication["keyVault"], "access": "ReadWrite"}}}


def provisioned(stage: Stage, **more: Any) -> Json:
    """The spec of a cache that is provisioned, with a way in."""
    redis = {"sku": {"name": "Standard", "capacity": 1}}
    return {
        "mode": "Provision",
        "provision": {"location": "westeurope", "tags": {"team": "shop"}, "redis": redis},
        "network": {"publicAccess": "Enabled", "firewallRules": [_RULE]},
        **read_write(stage),
        **more,
    }


_RULE = {"name": "all", "startIP": "127.0.0.1", "endIP": "127.255.255.255"}


def ready(stage: Stage) -> bool:
    held = stage.conditions()
    return (
        held.get("Ready", ("", ""))[0] == "True"
        and held.get("DriftDetected", ("", ""))[0] == "False"
        and "Reconciling" not in held
    )


def _corrected(stage: Stage) -> bool:
    cache = stage.world.control.redis.get(stage.name) or {"properties": {}}
    told = cache["properties"]
    safe = (told.get("enableNonSslPort"), told.get("minimumTlsVersion")) == (False, "1.2")
    # The operator observes the endpoint's protocol a moment after Azure's report.
    secured = (stage.world.condition(stage.document, "TransportSecured") or ("",))[0] == "True"
    return safe and secured and "firewallRule.delete" in stage.effects() and ready(stage)


def owned(stage: Stage, **more: Any) -> None:
    """Seed what an earlier life of the operator made for the resource, which is applied already."""
    world, applied = stage.world, stage.world.apply(stage.document)
    cluster = world.api.get("/api/v1/namespaces/kube-system").must()["metadata"]["uid"]
    tags = {"team": "shop", "secureredis-owner": f"{cluster}.{applied['metadata']['uid']}"}
    if stage.service is CLASSIC:
        rules = (seeds.FirewallRule(name=_RULE["name"], start=_RULE["startIP"], end=_RULE["endIP"]),)
        more = {"firewall_rules": rules, **more}
    more = {"properties": {"publicNetworkAccess": "Enabled"}, "private_endpoints": (), **more}
    stage.service.seed(world, stage.team, stage.name, tags=tags, **more)
    store(stage, tagged=True)


def converged(stage: Stage) -> None:
    try:
        wait_for(lambda: ready(stage), PATIENCE, f"{stage.name} to converge before it begins")
    except TimeoutError as error:
        raise TimeoutError(f"{error}; it is {stage.conditions()}") from None


def store(stage: Stage, slot: str = "Primary", *, tagged: bool = False) -> None:
    """Store one of the cache's keys in the vault, `tagged` as the operator stores them."""
    store_key(stage.service, stage.world, stage.team, stage.name, slot, tagged=tagged)


def existing(stage: Stage) -> None:
    stage.service.seed(stage.world, stage.team, stage.name)
    store(stage)


def _behind_our_back(stage: Stage) -> None:
    rules = [seeds.FirewallRule(name="all", start="127.0.0.1", end="127.255.255.255")]
    rules.append(seeds.FirewallRule(name="stranger", start="10.0.0.1", end="10.0.0.9"))
    properties = {"enableNonSslPort": True, "minimumTlsVersion": "1.0"}
    stage.world.control.redis.update(stage.name, properties, firewall_rules=rules)
    annotate(stage, refresh=uuid.uuid4().hex)


def delete(stage: Stage) -> None:
    stage.world.api.delete(stage.document).must()


def confirmed(stage: Stage) -> None:
    """The object converges, and its deletion is confirmed."""
    converged(stage)
    annotate(stage, **{"confirm-delete": stage.name})


def _published(stage: Stage) -> None:
    apply(stage)
    converged(stage)


def _left_by_an_earlier_version(stage: Stage) -> None:
    """The Secret has an ownerReference and no annotation of the uid, as an earlier version left it."""
    secret = stage.world.secret(stage.team.namespace, stage.name) or {}
    owner = {"apiVersion": names.API_VERSION, "kind": names.KIND, "name": stage.name}
    owner["uid"] = (stage.world.get(stage.document) or {})["metadata"]["uid"]
    metadata = {"annotations": {names.SECRET_UID: None}, "ownerReferences": [{**owner, "controller": True}]}
    stage.world.api.merge(secret, {"metadata": metadata}).must()
    annotate(stage, refresh=uuid.uuid4().hex)


def _migrated(stage: Stage) -> bool:
    metadata = (stage.world.secret(stage.team.namespace, stage.name) or {"metadata": {}})["metadata"]
    return "ownerReferences" not in metadata and names.SECRET_UID in metadata.get("annotations", {}) and ready(stage)


def annotate(stage: Stage, **annotations: str) -> None:
    named = {f"secureredis.io/{name}": value for name, value in annotations.items()}
    stage.world.api.merge(stage.document, {"metadata": {"annotations": named}}).must()


def _nothing(stage: Stage) -> None:
    """Nothing is there yet."""


def reported_only(stage: Stage) -> Json:
    """Return the spec of an operator's cache whose differences are reported and left."""
    return provisioned(stage)


PUBLISH = Scenario("publish", prepare=existing, spec=lambda stage: {}, trigger=apply, done=ready, writes=False)
PROVISION = Scenario("provision", prepare=_nothing, spec=provisioned, trigger=apply, done=ready)
CORRECT = Scenario(
    "correct",
    prepare=owned,
    spec=lambda stage: provisioned(stage, drift={"correct": ["Security"]}),
    begin=converged,
    trigger=_behind_our_back,
    done=_corrected,
)
DELETE = Scenario(
    "delete",
    prepare=owned,
    spec=lambda stage: provisioned(stage, deletionPolicy="Delete"),
    begin=confirmed,
    trigger=delete,
    done=lambda stage: stage.world.get(stage.document) is None,
)
MIGRATE = Scenario(
    "migrate",
    prepare=existing,
    spec=lambda stage: {},
    begin=_published,
    trigger=_left_by_an_earlier_version,
    done=_migrated,
    writes=False,
)
DELETE_SECRET = Scenario(
    "delete the Secret",
    prepare=existing,
    spec=lambda stage: {"connection": {"deletionPolicy": "Delete"}},
    begin=_published,
    trigger=delete,
    done=lambda stage: stage.world.get(stage.document) is None,
    writes=False,
    loses_secret=True,
)
SCENARIOS = (PUBLISH, PROVISION, CORRECT, DELETE, MIGRATE, DELETE_SECRET)
