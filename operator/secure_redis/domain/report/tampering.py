"""Report that others changed what the operator publishes or injects, after it was corrected. Pure.

The published content changes for many good reasons: a new key, an edit of the spec, an upgrade. It is tampering only
if the same content was in place after an earlier pass of this process, or if another field manager owns an entry alone.
Names of entries and field managers are reported, never values.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.status import Status
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.assess.connection_secret import ConnectionData, differs
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.workloads import WorkloadFacts
from secure_redis.domain.plan.actions import ApplySecret, CreateSecret, InjectWorkload
from secure_redis.domain.plan.outcomes import Done, Outcome
from secure_redis.domain.report.events import Event

_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class InPlace:
    """The content in place at the end of a pass.

    `secret`: as published. `workloads`: per kind, name and uid of an injected one, the names of its containers.
    `generation` and `version`: of the resource and of the key that the workloads were injected for.
    """

    secret: SecretFacts | None = None
    workloads: frozenset[tuple[str, str, str]] = frozenset()
    containers: frozenset[tuple[str, str]] = frozenset()
    generation: int = 0
    version: str | None = None


NOTHING_IN_PLACE = InPlace()


def in_place(
    resource: SecureRedisCache, before: InPlace, observed: Observation, assessed: Assessment, status: Status
) -> InPlace:
    """Return what is in place at the end of a pass. `observed`: with the Secret that the pass wrote."""
    secret, required = observed.secret, assessed.credential.data
    if required is None:  # nothing is known about the Secret now, so what was in place still counts
        intact = before.secret
    else:
        intact = secret if isinstance(secret, SecretFacts) and not differs(secret, required) else None
    good = frozenset(
        (one.kind, one.name, one.uid or "") for one in status.workloads if one.injected and one.reason is None
    )
    there = _workloads(observed)
    return InPlace(
        secret=intact,
        workloads=good,
        containers=frozenset(
            (uid, container.name)
            for uid, facts in there.items()
            if (facts.kind, facts.name, uid) in good
            for container in facts.containers
        ),
        generation=resource.generation,
        version=status.credential.key_vault_version if status.credential is not None else None,
    )


def repaired(
    resource: SecureRedisCache,
    before: InPlace,
    observed: Observation,
    assessed: Assessment,
    outcomes: Iterable[Outcome],
) -> tuple[Event, ...]:
    """Report what others changed and this pass corrected. `observed`: before the pass wrote anything."""
    required = assessed.credential.data
    found: list[str] = []
    for outcome in outcomes:
        action = outcome.action
        if not isinstance(outcome, Done):
            continue
        if isinstance(action, CreateSecret | ApplySecret) and required is not None:
            found += _secret(resource, before, observed, required, action)
        if isinstance(action, InjectWorkload):
            found += _workload(resource, before, observed, action)
    return tuple(Event("Warning", Reason.SECRET_TAMPERED, note) for note in found)


def _secret(
    resource: SecureRedisCache,
    before: InPlace,
    observed: Observation,
    required: ConnectionData,
    action: CreateSecret | ApplySecret,
) -> Iterable[str]:
    there, known = observed.secret, before.secret
    same = known is not None and known.name == action.name and not _changed(known, required)
    if isinstance(action, CreateSecret):
        if same:
            yield f"Secret {action.name!r} was deleted by another party; it was published again"
        return
    if not isinstance(there, SecretFacts) or not (same or there.owner_uid == resource.uid):
        return  # the Secret of an earlier resource of this name, which is adopted
    different = _changed(there, required)
    changed = [name for name in different if same or name in there.written_by]
    for manager in sorted({there.written_by.get(name, "") for name in changed}):
        entries = _listed([name for name in changed if there.written_by.get(name, "") == manager])
        who = f"changed by field manager {manager!r}" if manager else "removed or changed by a field manager unknown"
        yield f"Secret {action.name!r}: {entries} {_was(entries)} {who}; restored"


def _changed(published: SecretFacts, required: ConnectionData) -> list[str]:
    """List what differs, without the time of publication: that is a new one whenever the operator restores a key."""
    return [name for name in differs(published, required) if name != f"annotations[{names.SECRET_PUBLISHED}]"]


def _workload(
    resource: SecureRedisCache, before: InPlace, observed: Observation, action: InjectWorkload
) -> Iterable[str]:
    same = (resource.generation, action.version) == (before.generation, before.version)
    if not same or (action.kind, action.name, action.uid) not in before.workloads:
        return
    known = {container for uid, container in before.containers if uid == action.uid}
    fields = _fields(action, known)
    if not fields:  # only a container that is new
        return
    facts = _workloads(observed).get(action.uid)
    writer = facts.writer if facts is not None else None
    who = f"field manager {writer!r}, which wrote it last" if writer else "another party"
    entries = _listed(fields)
    yield f"{action.kind} {action.name!r}: the injected {entries} {_was(entries)} changed by {who}; injected again"


def _fields(action: InjectWorkload, containers: Collection[str]) -> list[str]:
    """Name the fields that the action sets, in the template and in these containers."""
    found: list[str] = []
    for place in _templates(action.apply):
        found += [f"annotation {name}" for name in (place.get("metadata") or {}).get("annotations") or ()]
        found += [f"volume {one['name']}" for one in (place.get("spec") or {}).get("volumes") or ()]
    for place in _templates(action.strategic):
        spec = place.get("spec") or {}
        for one in (*spec.get("initContainers", ()), *spec.get("containers", ())):
            of = f"of container {one['name']}"
            if one["name"] in containers:
                found += [f"env {env['name']} {of}" for env in one.get("env", ()) if "$patch" not in env]
                found += [f"mount {at['mountPath']} {of}" for at in one.get("volumeMounts", ()) if "$patch" not in at]
    return found


def _templates(patch: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Return the pod template in a patch of a workload, or of a CronJob."""
    spec = patch.get("spec") or {}
    for owner in (spec, (spec.get("jobTemplate") or {}).get("spec") or {}):
        if "template" in owner:
            yield owner["template"]


def _workloads(observed: Observation) -> dict[str, WorkloadFacts]:
    return {one.uid: one for one in observed.workloads} if isinstance(observed.workloads, tuple) else {}


def _listed(entries: list[str]) -> str:
    more = f" and {len(entries) - _MOST_NAMED} more" if len(entries) > _MOST_NAMED else ""
    return f"{', '.join(entries[:_MOST_NAMED])}{more}"


def _was(entries: str) -> str:
    return "were" if "," in entries or " more" in entries else "was"
