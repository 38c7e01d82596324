"""Workloads as they are read, for tests of injection and rollouts."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Workload
from secure_redis.domain.observe.workloads import (
    ContainerFacts,
    EnvFacts,
    Owned,
    PodFacts,
    WorkloadFacts,
)
from secure_redis.domain.plan.actions import InjectWorkload, ReleaseWorkload, WorkloadAction
from secure_redis.domain.plan.rollout.injection import inject
from tests.builders.passes import resource
from tests.builders.world import AUTHENTICATION, NOW, VERSION

V1, V2 = VERSION, "b" * 32
ENTRY: dict[str, Any] = {"id": "checkout", "kind": "Deployment", "name": "checkout"}
ENV: dict[str, Any] = {**ENTRY, "env": [{"name": "REDIS_URL", "key": "uri"}]}
MANAGED = "secureredis-orders"


def consumer(*entries: dict[str, Any], status: dict[str, Any] | None = None, **rotation: int) -> SecureRedisCache:
    """The resource `orders` with these workloads."""
    spec = {"authentication": {**AUTHENTICATION, "rotation": rotation}, "workloads": list(entries)}
    return resource(spec, status={"observedGeneration": 1, **(status or {})})


def entry(**changes: Any) -> Workload:
    """An entry for the Deployment `checkout`."""
    return Workload.model_validate({**ENTRY, **changes})


def workload(name: str = "checkout", **changes: Any) -> WorkloadFacts:
    """A consenting workload of one container that has something of its own."""
    plain = WorkloadFacts(
        kind="Deployment",
        name=name,
        uid=f"uid-{name}",
        resource_version="5",
        labels={names.INJECT: "true"},
        annotations={names.RESOURCES: "sessions, orders"},
        containers=(
            ContainerFacts("app", env=(EnvFacts("LEVEL"),), mounts=(("data", "/data"),)),
            ContainerFacts("migrate", init=True),
        ),
        volumes=(("data", None),),
        replicas=3,
    )
    return replace(plain, **changes)


def done(facts: WorkloadFacts, action: WorkloadAction, at: datetime = NOW) -> WorkloadFacts:
    """The workload as the API server has it after an action: a small model of apply and strategic merge."""
    annotations, volumes = dict(facts.template_annotations), dict(facts.volumes)
    owned_volumes = set(facts.owned.volumes)
    owned_annotations = set(facts.owned.annotations)
    if action.apply:
        template = _template(facts.kind, action.apply)
        wanted = template.get("metadata", {}).get("annotations", {})
        mounted = {v["name"]: v["secret"]["secretName"] for v in template.get("spec", {}).get("volumes", ())}
        annotations = {k: v for k, v in annotations.items() if k not in owned_annotations} | wanted
        volumes = {k: v for k, v in volumes.items() if k not in owned_volumes} | mounted
        owned_annotations, owned_volumes = set(wanted), set(mounted)
    env = {name: set(found) for name, found in facts.owned.env.items()}
    mounts = {name: set(found) for name, found in facts.owned.mounts.items()}
    roots = set(facts.owned.roots)
    containers = {one.name: one for one in facts.containers}
    spec = _template(facts.kind, action.strategic).get("spec", {}) if action.strategic else {}
    for change in (*spec.get("containers", ()), *spec.get("initContainers", ())):
        name = change["name"]
        assert name in containers, "a container that is not there would be made, without an image"
        there = {one.name: one for one in containers[name].env}
        at_path = {path: of for of, path in containers[name].mounts}
        for one in change.get("env", ()):
            if one.get("$patch") == "delete":
                del there[one["name"]]
                env.get(name, set()).discard(one["name"])
                if one["name"] == names.SERVICE_BINDING_ROOT:
                    roots.discard(name)
            elif "value" in one:
                there[one["name"]] = EnvFacts(one["name"], value=one["value"])
                roots.add(name)
            else:
                reference = one["valueFrom"]["secretKeyRef"]
                there[one["name"]] = EnvFacts(one["name"], reference["name"], reference["key"])
                env.setdefault(name, set()).add(one["name"])
        for one in change.get("volumeMounts", ()):
            if one.get("$patch") == "delete":
                del at_path[one["mountPath"]]
                mounts[name].discard(one["mountPath"])
            else:
                at_path[one["mountPath"]] = one["name"]
                mounts.setdefault(name, set()).add(one["mountPath"])
        containers[name] = replace(
            containers[name], env=tuple(there.values()), mounts=tuple((of, path) for path, of in at_path.items())
        )
    missing = {of for one in containers.values() for of, _ in one.mounts} - volumes.keys()
    assert not missing, f"mounts without a volume: {missing}"
    return replace(
        facts,
        template_annotations=annotations,
        volumes=tuple(volumes.items()),
        containers=tuple(containers.values()),
        rolled=False,
        owned=Owned(
            annotations=frozenset(owned_annotations),
            volumes=frozenset(owned_volumes),
            env={name: frozenset(found) for name, found in env.items() if found},
            mounts={name: frozenset(found) for name, found in mounts.items() if found},
            roots=frozenset(roots),
            applied=at,
        ),
    )


def _template(kind: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = body.get("spec", {})
    found: Mapping[str, Any] = (spec.get("jobTemplate", {}).get("spec", {}) if kind == "CronJob" else spec).get(
        "template", {}
    )
    return found


def injected(
    res: SecureRedisCache, facts: WorkloadFacts, version: str = V1, at: datetime = NOW - timedelta(minutes=1)
) -> WorkloadFacts:
    """The workload with the first entry that could mean it in place, and rolled."""
    asked = next(one for one in res.spec.workloads if one.name in {None, facts.name})
    action = inject(res, asked, facts, res.secret_name, version)
    assert isinstance(action, InjectWorkload)
    return replace(done(facts, action, at), rolled=True)


def released(facts: WorkloadFacts, action: WorkloadAction | None) -> WorkloadFacts:
    """The workload after a release."""
    assert isinstance(action, ReleaseWorkload)
    return done(facts, action)


def pods(version: str | None, count: int = 3, *, started: datetime = NOW - timedelta(hours=1)) -> tuple[PodFacts, ...]:
    """Pods that were started for a version."""
    return tuple(PodFacts(f"pod-{(version or 'none')[:4]}-{i}", version, started) for i in range(count))
