"""From what was seen, meant, planned and done to the status, the events and when to look again. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from secure_redis.api import names
from secure_redis.api.reasons import REASONS, ConditionType, Reason
from secure_redis.api.resource import Mode, SecureRedisCache, Unreadable
from secure_redis.api.status import (
    Binding,
    CacheStatus,
    ComplianceStatus,
    Condition,
    CredentialStatus,
    DriftStatus,
    FindingStatus,
    LastHandled,
    Status,
    merge_conditions,
)
from secure_redis.domain.actions import ApplySecret, CreateSecret, Done, Failed, Outcome
from secure_redis.domain.assess import Assessment
from secure_redis.domain.grants import Refusal
from secure_redis.domain.normalise import is_busy, is_dead
from secure_redis.domain.observation import (
    CacheAbsent,
    CacheFacts,
    Observation,
    SecretFacts,
    Unknown,
    VaultSecretFacts,
)
from secure_redis.domain.plan import PERMANENT_RETRY_SECONDS, Plan, rfc3339
from secure_redis.domain.rules import Severity

TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"
LISTED_PATHS = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """A condition's status, reason and message."""

    status: str
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Event:
    """What is told about a transition. `kind`: Normal or Warning."""

    kind: Literal["Normal", "Warning"]
    reason: str
    note: str


@dataclass(frozen=True, slots=True)
class Report:
    """The status to write (if it differs), the events, and the time of the next look in seconds."""

    status: Status
    events: tuple[Event, ...]
    next_look: float
    failed: bool  # a transient failure: the scheduler backs off
    retry_after: float | None = None


def afterwards(resource: SecureRedisCache, seen: Observation, outcomes: Iterable[Outcome]) -> Observation:
    """The observation with what this pass itself published, so that the next pass has nothing to add to the report."""
    for outcome in outcomes:
        action = outcome.action
        if isinstance(outcome, Done) and isinstance(action, CreateSecret | ApplySecret):
            secret = SecretFacts(
                name=action.name,
                uid=action.uid if isinstance(action, ApplySecret) else "",
                resource_version="",
                type=names.SECRET_TYPE,
                data=action.data,
                labels=action.labels,
                annotations=action.annotations,
                owner_uid=resource.uid,
                owner_name=resource.key.name,
                owner_kind=names.KIND,
            )
            return replace(seen, secret=secret)
    return seen


def report(
    resource: SecureRedisCache, seen: Observation, means: Assessment, plan: Plan, outcomes: Iterable[Outcome]
) -> Report:
    """Compose what the world is told after one pass."""
    outcomes = tuple(outcomes)
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    available = _available(resource, seen, plan, failures)
    credentials = _credentials(resource, seen, means, plan, outcomes, available)
    ready = _ready(resource, seen, means, plan, failures, available, credentials)
    verdicts: dict[ConditionType, Verdict] = {
        ConditionType.READY: ready,
        ConditionType.CACHE_AVAILABLE: available,
        ConditionType.TRANSPORT_SECURED: _transport(seen, available),
        ConditionType.COMPLIANT: _compliant(means, available),
        ConditionType.DRIFT_DETECTED: _drift(means, available),
    }
    if credentials is not None:
        verdicts[ConditionType.CREDENTIALS_SYNCED] = credentials
    progress = _progress(plan, seen)
    if progress is not None:
        verdicts[ConditionType.RECONCILING] = progress
    stalled = _stalled(resource, plan, failures, available, credentials)
    if stalled is not None:
        verdicts[ConditionType.STALLED] = stalled
        verdicts.pop(ConditionType.RECONCILING, None)
    status = _status(resource, seen, means, plan, verdicts, credentials)
    permanent = stalled is not None or any(failure.permanent for failure in failures)
    unknowns = [u for u in (seen.identity, seen.cache, seen.vault, seen.secret) if isinstance(u, Unknown)]
    troubles: list[Failed | Unknown] = [*failures, *unknowns]
    transient = [trouble for trouble in troubles if not trouble.permanent]
    waits = [trouble.retry_after for trouble in troubles if trouble.retry_after is not None]
    interval = float(resource.spec.drift.interval_seconds)
    next_look = plan.next_look if plan.next_look is not None else interval
    if permanent and failures:
        next_look = PERMANENT_RETRY_SECONDS
    return Report(
        status=status,
        events=tuple(_events(resource, status)),
        next_look=next_look,
        failed=bool(transient),
        retry_after=max(waits, default=None),
    )


def unreadable(resource: Unreadable, now: datetime) -> Status:
    """The status of a resource whose spec could not be read: what is known stays, nothing is acted on."""
    before, generation = resource.envelope.status, resource.envelope.generation
    kept = [c for c in before.conditions if c.type not in {ConditionType.READY, ConditionType.STALLED}]
    said = [
        Condition(type=ConditionType.READY, status=FALSE, reason=resource.reason, message=resource.message),
        Condition(type=ConditionType.STALLED, status=TRUE, reason=resource.reason, message=resource.message),
    ]
    stamped = [c.model_copy(update={"observed_generation": generation}) for c in (*said, *kept)]
    conditions = merge_conditions(before.conditions, stamped, rfc3339(now))
    return before.model_copy(update={"observed_generation": generation, "conditions": conditions})


def released(resource: SecureRedisCache, reason: Reason) -> str:
    """What the last event of a resource says about its cache."""
    cache = resource.cache.text
    match reason:
        case Reason.DELETING:
            return f"{cache} was deleted"
        case Reason.ABANDONED:
            return f"{cache} was kept although spec.deletionPolicy is Delete"
        case _:
            return f"{cache} was kept"


# --- conditions -----------------------------------------------------------------------------------------------------


def _available(resource: SecureRedisCache, seen: Observation, plan: Plan, failures: list[Failed]) -> Verdict:
    cache = seen.cache
    if isinstance(seen.identity, Unknown):
        return Verdict(UNKNOWN, seen.identity.reason, seen.identity.message)
    if isinstance(cache, Unknown):
        return Verdict(UNKNOWN, cache.reason, cache.message)
    if isinstance(cache, CacheAbsent):
        said = next(iter(plan.refused), None) or plan.waiting
        if failures:
            return Verdict(FALSE, failures[0].reason, failures[0].message)
        if said is not None:
            return Verdict(FALSE, said.reason, said.message)
        return Verdict(FALSE, Reason.CACHE_NOT_FOUND, cache.message)
    if not isinstance(cache, CacheFacts):
        if resource.paused and plan.waiting is not None:
            return Verdict(UNKNOWN, Reason.PAUSED, plan.waiting.message)
        return Verdict(UNKNOWN, Reason.PENDING, "the cache was not read yet")
    failed = next((r for r in plan.refused if r.reason is Reason.PROVISIONING_FAILED), None)
    if failed is not None and is_dead(cache.provisioning_state):
        return Verdict(FALSE, failed.reason, failed.message)
    state = cache.provisioning_state
    if is_dead(state):
        reason = Reason.CACHE_DISABLED if state.lower() == "disabled" else Reason.CACHE_FAILED
        return Verdict(
            FALSE, reason, f"Azure reports provisioningState {state}: look at the cache in Azure and repair it"
        )
    if is_busy(state) and (cache.host_name is None or state.lower() in {"creating", "deleting"}):
        waiting = plan.waiting or Refusal(Reason.UPDATING, f"provisioningState is {state}")
        return Verdict(FALSE, waiting.reason, waiting.message)
    if cache.host_name is None or cache.tls_port is None:
        return Verdict(FALSE, Reason.CACHE_FAILED, "Azure reports no host name or no TLS port")
    closed = (cache.public_network_access or "Enabled").lower() == "disabled"
    if closed and not cache.has_approved_private_endpoint and cache.subnet_id is None:
        return Verdict(
            FALSE,
            Reason.NO_ROUTE,
            "public access is off and there is no approved private endpoint: nothing can reach the cache; create a "
            "private endpoint for it and approve it",
        )
    return Verdict(TRUE, Reason.AVAILABLE, f"{cache.host_name}:{cache.tls_port}")


def _transport(seen: Observation, available: Verdict) -> Verdict:
    cache = seen.cache
    if not isinstance(cache, CacheFacts):
        return Verdict(UNKNOWN, available.reason, available.message)
    if cache.non_tls_port_enabled:
        return Verdict(FALSE, Reason.NON_TLS_PORT_OPEN, "the non-TLS port is open: keys and data can travel in clear")
    version = cache.minimum_tls_version
    if version is not None and version not in {"1.2", "1.3"}:
        return Verdict(FALSE, Reason.MINIMUM_TLS_TOO_LOW, f"the cache accepts TLS {version}")
    if cache.non_tls_port_enabled is None:
        return Verdict(UNKNOWN, Reason.UNKNOWN, "Azure did not say whether the non-TLS port is open")
    if version is None:
        return Verdict(
            UNKNOWN, Reason.MINIMUM_TLS_UNSET, "no minimum TLS version is set on the cache: set it to 1.2 explicitly"
        )
    return Verdict(TRUE, Reason.SECURED, f"TLS {version} at least; the non-TLS port is off")


def _compliant(means: Assessment, available: Verdict) -> Verdict:
    found = means.compliance
    if found is None:
        return Verdict(UNKNOWN, available.reason, available.message)
    weighty = [f for f in found.findings if f.severity not in {Severity.INFO, Severity.LOW}]
    failed = [f for f in weighty if f.result == "Fail"]
    unknown = [f for f in weighty if f.result == "Unknown"]
    for worst, status in ((failed, FALSE), (unknown, UNKNOWN)):
        if worst:
            listed = ", ".join(f.rule for f in worst)
            word = "failed" if status == FALSE else "could not be judged"
            return Verdict(status, Reason.FINDINGS, f"{len(worst)} rules {word}: {listed}")
    return Verdict(TRUE, Reason.COMPLIANT, "no rule that counts failed")


def _drift(means: Assessment, available: Verdict) -> Verdict:
    if means.drift is None:
        return Verdict(UNKNOWN, available.reason, available.message)
    if not means.drift:
        return Verdict(FALSE, Reason.NO_DRIFT, "Azure is as declared")
    paths = [d.path for d in means.drift]
    more = f" and {len(paths) - LISTED_PATHS} more" if len(paths) > LISTED_PATHS else ""
    return Verdict(TRUE, Reason.DRIFTED, f"{', '.join(paths[:LISTED_PATHS])}{more}")


def _credentials(
    resource: SecureRedisCache,
    seen: Observation,
    means: Assessment,
    plan: Plan,
    outcomes: tuple[Outcome, ...],
    available: Verdict,
) -> Verdict | None:
    if resource.spec.authentication is None:
        return None
    wrote = [o for o in outcomes if isinstance(o.action, CreateSecret | ApplySecret)]
    for outcome in wrote:
        if isinstance(outcome, Failed):
            return Verdict(FALSE, outcome.reason, outcome.message)
    verdict = means.credential
    if verdict.data is not None:
        blocked = next((r for r in plan.refused if r.reason in _ABOUT_THE_SECRET), None)
        if blocked is not None:
            return Verdict(FALSE, blocked.reason, blocked.message)
        if plan.waiting is not None and plan.waiting.reason is Reason.SECRET_DELETING:
            return Verdict(FALSE, plan.waiting.reason, plan.waiting.message)
        if isinstance(seen.secret, Unknown):
            return Verdict(UNKNOWN, seen.secret.reason, seen.secret.message)
        if seen.namespace_terminating:
            return Verdict(FALSE, Reason.NAMESPACE_TERMINATING, "the namespace is being deleted")
        if plan.waiting is not None and plan.waiting.reason is Reason.PAUSED:
            return Verdict(UNKNOWN, Reason.PAUSED, plan.waiting.message)
        return Verdict(TRUE, Reason.PUBLISHED, f"Secret {resource.secret_name!r} holds a live key")
    refused = verdict.refused
    if isinstance(refused, Unknown) and not refused.permanent:
        return Verdict(UNKNOWN, refused.reason, refused.message)
    if refused is not None:
        return Verdict(FALSE, refused.reason, refused.message)
    stored = next((r for r in plan.refused if r.reason is Reason.NOT_GRANTED), None) if verdict.store else None
    failed = next((o for o in outcomes if isinstance(o, Failed)), None) if verdict.store else None
    if failed is not None:
        return Verdict(FALSE, failed.reason, failed.message)
    said = stored or (plan.waiting if verdict.store else None)
    if said is not None:
        return Verdict(FALSE, said.reason, said.message)
    if available.status == TRUE:
        return Verdict(UNKNOWN, Reason.PENDING, "the credential was not read yet")
    return available


_ABOUT_THE_SECRET = frozenset(
    {
        Reason.SECRET_FOREIGN,
        Reason.SECRET_IMMUTABLE,
        Reason.SECRET_DELETING,
        Reason.NAMESPACE_NOT_BOUND,
        Reason.SECRET_REFUSED,
    }
)


def _ready(
    resource: SecureRedisCache,
    seen: Observation,
    means: Assessment,
    plan: Plan,
    failures: list[Failed],
    available: Verdict,
    credentials: Verdict | None,
) -> Verdict:
    """True: what was asked for is in place for this generation."""
    if resource.deleting:
        said = next(iter(plan.refused), None) or plan.waiting or Refusal(Reason.DELETING, "being deleted")
        return Verdict(FALSE, said.reason, said.message)
    goal = credentials or available
    if credentials is None and isinstance(seen.cache, CacheFacts):
        if means.compliance is not None and available.reason is not Reason.NO_ROUTE:
            goal = Verdict(TRUE, Reason.ASSESSED, "the cache was assessed")
        if resource.spec.mode is Mode.PROVISION:
            goal = available
    if credentials is not None and credentials.status == TRUE and available.status == FALSE:
        goal = available
    if goal.status == TRUE:
        blocked = next((r for r in plan.refused if r.reason in _BARS_READY), None)
        if blocked is not None:
            return Verdict(FALSE, blocked.reason, blocked.message)
        azure = next((f for f in failures if f.permanent), None)
        if azure is not None:
            return Verdict(FALSE, azure.reason, azure.message)
        return Verdict(TRUE, Reason.READY, goal.message)
    before = resource.status.condition(ConditionType.READY)
    was = before is not None and before.status == TRUE and before.observed_generation == resource.generation
    intact = credentials is None or (isinstance(seen.secret, SecretFacts) and seen.secret.owner_uid == resource.uid)
    if goal.status == UNKNOWN and was and intact and before is not None:
        # An outage of Azure does not make a good Secret bad; the other conditions say what is not known.
        return Verdict(TRUE, Reason.READY, before.message)
    return Verdict(goal.status if goal.status != TRUE else FALSE, goal.reason, goal.message)


_BARS_READY = frozenset({Reason.OWNED_BY_ANOTHER, Reason.NOT_GRANTED, Reason.CACHE_GONE})


def _progress(plan: Plan, seen: Observation) -> Verdict | None:
    waiting = plan.waiting
    if waiting is None or waiting.reason is Reason.PAUSED:
        return None
    return Verdict(TRUE, waiting.reason, waiting.message)


def _stalled(
    resource: SecureRedisCache,
    plan: Plan,
    failures: list[Failed],
    available: Verdict,
    credentials: Verdict | None,
) -> Verdict | None:
    candidates = [Verdict(FALSE, f.reason, f.message) for f in failures]
    candidates += [Verdict(FALSE, r.reason, r.message) for r in plan.refused]
    candidates += [v for v in (available, credentials) if v is not None and v.status != TRUE]
    worst = next((c for c in candidates if REASONS[c.reason].terminal), None)
    return None if worst is None else Verdict(TRUE, worst.reason, worst.message)


# --- the status -----------------------------------------------------------------------------------------------------


def _status(
    resource: SecureRedisCache,
    seen: Observation,
    means: Assessment,
    plan: Plan,
    verdicts: dict[ConditionType, Verdict],
    credentials: Verdict | None,
) -> Status:
    before, at = resource.status, rfc3339(seen.now)
    conditions = [
        Condition(
            type=kind,
            status=verdict.status,
            reason=verdict.reason,
            message=verdict.message,
            observed_generation=resource.generation,
        )
        for kind, verdict in verdicts.items()
    ]
    published = credentials is not None and credentials.status == TRUE
    facts = seen.cache if isinstance(seen.cache, CacheFacts) else None
    refresh = resource.requests.get(names.REFRESH)
    return Status(
        observed_generation=resource.generation,
        conditions=merge_conditions(before.conditions, conditions, at),
        binding=Binding(name=resource.secret_name) if published else before.binding,
        cache=_cache(facts, means) if facts is not None else before.cache,
        compliance=_compliance(means) if means.compliance is not None else before.compliance,
        drift=tuple(_drift_entries(before.drift, means, at)) if means.drift is not None else before.drift,
        credential=_credential(resource, seen, means, at) if published else before.credential,
        pending=plan.pending or (None if facts is not None else before.pending),
        last_handled=LastHandled(refresh=refresh) if refresh is not None else None,
    )


def _cache(facts: CacheFacts, means: Assessment) -> CacheStatus:
    return CacheStatus(
        host_name=facts.host_name,
        port=facts.tls_port,
        service=facts.resource_id.service,
        sku=f"{facts.sku_name} {facts.sku_family}{facts.sku_capacity}",
        provisioning_state=facts.provisioning_state,
        redis_version=facts.redis_version,
        ownership=means.ownership,
    )


def _compliance(means: Assessment) -> ComplianceStatus:
    found = means.compliance
    if found is None:
        return ComplianceStatus()
    return ComplianceStatus(
        passed=found.passed,
        failed=found.failed,
        unknown=found.unknown,
        findings=tuple(
            FindingStatus(rule=f.rule, result=f.result, severity=f.severity, message=f.message) for f in found.findings
        ),
    )


def _drift_entries(before: tuple[DriftStatus, ...], means: Assessment, at: str) -> Iterable[DriftStatus]:
    since = {entry.path: entry.since for entry in before}
    for entry in means.drift or ():
        yield DriftStatus(
            path=entry.path,
            declared=entry.declared,
            observed=entry.observed,
            drift_class=entry.drift_class,
            since=since.get(entry.path) or at,
        )


def _credential(resource: SecureRedisCache, seen: Observation, means: Assessment, at: str) -> CredentialStatus:
    vault, proven, before = seen.vault, means.credential.proven, resource.status.credential
    if not isinstance(vault, VaultSecretFacts):
        return before or CredentialStatus()
    same = before is not None and before.key_vault_version == vault.version
    return CredentialStatus(
        slot=proven.slot if proven is not None else None,
        key_vault_version=vault.version,
        published_at=before.published_at if same and before is not None else at,
        expires_at=rfc3339(vault.expires) if vault.expires is not None else None,
    )


# --- events ---------------------------------------------------------------------------------------------------------

_GOOD_WHEN_FALSE = frozenset({ConditionType.DRIFT_DETECTED, ConditionType.STALLED})
_SILENT = frozenset({ConditionType.RECONCILING})


def _events(resource: SecureRedisCache, now: Status) -> Iterable[Event]:
    """Transitions only. A first look that finds all well tells nothing: the conditions say it."""
    for condition in now.conditions:
        kind = ConditionType(condition.type)
        if kind in _SILENT or condition.status == UNKNOWN:
            continue
        before = resource.status.condition(kind)
        fresh = before is None or before.status == UNKNOWN
        good = (condition.status == FALSE) == (kind in _GOOD_WHEN_FALSE)
        changed = before is None or before.status != condition.status
        if not changed and not (kind is ConditionType.READY and not good and before.reason != condition.reason):  # type: ignore[union-attr]
            continue
        if good and fresh:
            continue
        yield Event("Normal" if good else "Warning", condition.reason, f"{kind}: {condition.message}")
    old, new = resource.status.credential, now.credential
    if old is not None and new is not None and old.key_vault_version != new.key_vault_version:
        yield Event("Normal", "CredentialPublished", f"Secret {resource.secret_name!r} now holds the {new.slot} key")
