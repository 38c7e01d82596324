"""Each condition of the status from what was seen, meant, planned and done."""

from secure_redis.api.reason_texts import REASONS
from secure_redis.api.reasons import ConditionType, Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec import Mode
from secure_redis.api.status import WorkloadStatus
from secure_redis.domain import managed_verdicts, workload_verdict
from secure_redis.domain.actions import (
    ApplySecret,
    AzureAction,
    CreateSecret,
    Failed,
    Outcome,
    StoreKey,
    WorkloadAction,
)
from secure_redis.domain.assess import Assessment
from secure_redis.domain.connection import differs
from secure_redis.domain.creation import busy, busy_reason
from secure_redis.domain.encryption_chain import follow
from secure_redis.domain.endpoint import EndpointFacts
from secure_redis.domain.endpoint_report import aside, only_recalled, wrong
from secure_redis.domain.explanation import Refusal
from secure_redis.domain.intent import Plan
from secure_redis.domain.managed_facts import ManagedFacts
from secure_redis.domain.normalise import is_busy, is_dead, same_word, tls_version
from secure_redis.domain.observation import Observation, of_either
from secure_redis.domain.observe.redis import CacheAbsent, CacheFacts
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.persistence import wanted as wanted_persistence
from secure_redis.domain.persisting import ABOUT_PERSISTING, held_back
from secure_redis.domain.rules.rule import Severity
from secure_redis.domain.verdict import FALSE, TRUE, UNKNOWN, Verdict

LISTED_PATHS = 3


def verdicts(
    resource: SecureRedisCache,
    seen: Observation,
    means: Assessment,
    plan: Plan,
    outcomes: tuple[Outcome, ...],
    told_workloads: tuple[WorkloadStatus, ...] = (),
) -> dict[ConditionType, Verdict]:
    """All conditions; what is absent when normal (Reconciling, Stalled) or was not asked for is left out.

    `told_workloads`: `status.workloads` as it is to be written.
    """
    # A workload that refuses says nothing about the cache, the key or the Secret.
    outcomes = tuple(outcome for outcome in outcomes if not isinstance(outcome.action, WorkloadAction))
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    available = _available(resource, seen, plan, failures)
    credentials = _credentials(resource, seen, means, plan, outcomes, available)
    said: dict[ConditionType, Verdict] = {
        ConditionType.READY: _ready(resource, seen, means, plan, failures, available, credentials),
        ConditionType.CACHE_AVAILABLE: available,
        ConditionType.TRANSPORT_SECURED: _transport(resource, seen, available),
        ConditionType.COMPLIANT: _compliant(means, available),
        ConditionType.DRIFT_DETECTED: _drift(means, plan, failures, available),
    }
    if credentials is not None:
        said[ConditionType.CREDENTIALS_SYNCED] = credentials
    persistence = _persistence(resource, seen, plan, failures, available)
    if persistence is not None:
        said[ConditionType.PERSISTENCE_ENCRYPTED] = persistence
    workloads = workload_verdict.current(plan.rollout, told_workloads)
    if workloads is not None:
        said[ConditionType.WORKLOADS_CURRENT] = workloads
    stalled = _stalled(plan, failures, available, credentials)
    progress = _progress(plan)
    if stalled is not None:
        said[ConditionType.STALLED] = stalled
    elif progress is not None:
        said[ConditionType.RECONCILING] = progress
    return said


def _available(resource: SecureRedisCache, seen: Observation, plan: Plan, failures: list[Failed]) -> Verdict:
    cache = of_either(seen)
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
    if isinstance(cache, ManagedFacts):
        return managed_verdicts.available(cache)
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
        waiting = plan.waiting or Refusal(busy_reason(state), busy(state))
        return Verdict(FALSE, waiting.reason, waiting.message)
    if cache.host_name is None or cache.tls_port is None:
        return Verdict(FALSE, Reason.CACHE_FAILED, "Azure reports no host name or no TLS port")
    closed = same_word(cache.public_network_access, "Disabled")
    if closed and not cache.has_approved_private_endpoint and cache.subnet_id is None:
        return Verdict(
            FALSE,
            Reason.NO_ROUTE,
            "public access is off and there is no approved private endpoint: nothing can reach the cache; create a "
            "private endpoint for it and approve it",
        )
    return Verdict(TRUE, Reason.AVAILABLE, f"{cache.host_name}:{cache.tls_port}")


def _transport(resource: SecureRedisCache, seen: Observation, available: Verdict) -> Verdict:
    cache = of_either(seen)
    if isinstance(cache, ManagedFacts):
        return managed_verdicts.transport(cache, resource.status, seen, available)
    if not isinstance(cache, CacheFacts):
        return Verdict(UNKNOWN, available.reason, available.message)
    if cache.non_tls_port_enabled:
        return Verdict(FALSE, Reason.NON_TLS_PORT_OPEN, "the non-TLS port is open: keys and data can travel in clear")
    version, floor = cache.minimum_tls_version, tls_version(cache.minimum_tls_version)
    if floor is not None and floor < (1, 2):
        return Verdict(FALSE, Reason.MINIMUM_TLS_TOO_LOW, f"the cache accepts TLS {version}")
    found = next(wrong(seen.endpoint, seen.now), None) if isinstance(seen.endpoint, EndpointFacts) else None
    if found is not None:
        return Verdict(FALSE, *found)
    if cache.non_tls_port_enabled is None:
        return Verdict(UNKNOWN, Reason.UNKNOWN, "Azure did not say whether the non-TLS port is open")
    if floor is None:
        return Verdict(
            UNKNOWN, Reason.MINIMUM_TLS_UNSET, "no minimum TLS version is set on the cache: set it to 1.2 explicitly"
        )
    if only_recalled(resource.status, seen):
        return Verdict(UNKNOWN, Reason.PENDING, "the first look of this process at the endpoint is still to come")
    return Verdict(TRUE, Reason.SECURED, f"TLS {version} at least; the non-TLS port is off{aside(seen)}")


def _persistence(
    resource: SecureRedisCache, seen: Observation, plan: Plan, failures: list[Failed], available: Verdict
) -> Verdict | None:
    """None: nothing is persisted, and nothing was asked for."""
    if isinstance(seen.managed_cache, ManagedFacts):
        return managed_verdicts.persistence(seen.managed_cache, seen)
    if not isinstance(seen.cache, CacheFacts):
        asked = wanted_persistence(resource) is not None
        return Verdict(UNKNOWN, available.reason, available.message) if asked else None
    link = follow(resource, seen, held_back(plan, failures))
    if link is None:
        return None
    status = UNKNOWN if link.encrypted is None else TRUE if link.encrypted else FALSE
    return Verdict(status, link.reason, link.message)


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
            rules = "1 rule" if len(worst) == 1 else f"{len(worst)} rules"
            return Verdict(status, Reason.FINDINGS, f"{rules} {word}: {listed}")
    return Verdict(TRUE, Reason.COMPLIANT, "no rule that counts failed")


def _drift(means: Assessment, plan: Plan, failures: list[Failed], available: Verdict) -> Verdict:
    if means.drift is None:
        return Verdict(UNKNOWN, available.reason, available.message)
    if available.reason in {Reason.CACHE_GONE, Reason.CACHE_NOT_FOUND} and means.drift:
        return Verdict(TRUE, available.reason, available.message)
    back = _held_back(plan, failures)
    if not means.drift:
        return Verdict(FALSE, back.reason, back.message) if back else Verdict(FALSE, Reason.NO_DRIFT, "as declared")
    paths = [d.path for d in means.drift]
    more = f" and {len(paths) - LISTED_PATHS} more" if len(paths) > LISTED_PATHS else ""
    listed = f"{', '.join(paths[:LISTED_PATHS])}{more}"
    return Verdict(TRUE, back.reason, f"{listed}: {back.message}") if back else Verdict(TRUE, Reason.DRIFTED, listed)


_ABOUT_CORRECTING = frozenset(
    {
        Reason.ADOPTION_REQUIRED,
        Reason.WOULD_DISCONNECT,
        Reason.DISRUPTION_NOT_ALLOWED,
        Reason.CONTESTED,
        Reason.READ_ONLY,
        Reason.CAPPED,
        Reason.MASS_DRIFT,
        Reason.FIRST_LOOK,
        Reason.NOT_GRANTED,
        Reason.PROVISIONING_FAILED,
        Reason.DENIED_BY_POLICY,
        Reason.LOCKED,
        Reason.REQUEST_REFUSED,
    }
    | ABOUT_PERSISTING
)


def _held_back(plan: Plan, failures: list[Failed]) -> Refusal | None:
    """Why a correction that was wanted was not made."""
    for failure in failures:
        if isinstance(failure.action, AzureAction) and not isinstance(failure.action, StoreKey):
            return Refusal(failure.reason, failure.message)
    return next((r for r in plan.refused if r.reason in _ABOUT_CORRECTING), None)


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
        secret = seen.secret
        mine = secret if isinstance(secret, SecretFacts) and secret.owner_uid == resource.uid else None
        if _paused(plan) and (mine is None or differs(mine, verdict.data)):
            return Verdict(FALSE, Reason.PAUSED, "the Secret is not as it should be, and writes are paused")
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


def _paused(plan: Plan) -> bool:
    return plan.waiting is not None and plan.waiting.reason is Reason.PAUSED


def _ready(
    resource: SecureRedisCache,
    seen: Observation,
    means: Assessment,
    plan: Plan,
    failures: list[Failed],
    available: Verdict,
    credentials: Verdict | None,
) -> Verdict:
    """True: what was asked for is in place for this generation. A pause is said in the reason, whatever the status."""
    told = _goal(resource, seen, means, plan, failures, available, credentials)
    if plan.waiting is not None and _paused(plan) and not resource.deleting:
        return Verdict(told.status, Reason.PAUSED, f"{plan.waiting.message}; {told.message}")
    return told


def _goal(
    resource: SecureRedisCache,
    seen: Observation,
    means: Assessment,
    plan: Plan,
    failures: list[Failed],
    available: Verdict,
    credentials: Verdict | None,
) -> Verdict:
    if resource.deleting:
        failed = next((Refusal(f.reason, f.message) for f in failures), None)
        said = failed or next(iter(plan.refused), None) or plan.waiting or Refusal(Reason.DELETING, "being deleted")
        return Verdict(FALSE, said.reason, said.message)
    goal = credentials or available
    if credentials is None and isinstance(of_either(seen), CacheFacts | ManagedFacts):
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
    if goal.status == UNKNOWN and goal.reason in _PASSING and was and intact and before is not None:
        # An outage of Azure does not make a good Secret bad; the other conditions say what is not known.
        return Verdict(TRUE, Reason.READY, f"as last seen; it cannot be seen now: {goal.message}")
    return Verdict(goal.status if goal.status != TRUE else FALSE, goal.reason, goal.message)


# An outage or a pause; whatever else is not known has to be mended by somebody.
_PASSING = frozenset(
    {
        Reason.AZURE_UNREACHABLE,
        Reason.AZURE_THROTTLED,
        Reason.AZURE_ERROR,
        Reason.BUSY,
        Reason.CONFIRMING_ABSENCE,
        Reason.PAUSED,
        Reason.PENDING,
        Reason.UNKNOWN,
    }
)
# A write that Azure refused bars it in the pass that tried and in those that know better than to try again.
_BARS_READY = frozenset(
    {
        Reason.OWNED_BY_ANOTHER,
        Reason.NOT_GRANTED,
        Reason.CACHE_GONE,
        Reason.DENIED_BY_POLICY,
        Reason.LOCKED,
        Reason.REQUEST_REFUSED,
    }
)


def _progress(plan: Plan) -> Verdict | None:
    waiting = plan.waiting
    if waiting is None or waiting.reason is Reason.PAUSED:
        return None
    return Verdict(TRUE, waiting.reason, waiting.message)


def _stalled(
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
