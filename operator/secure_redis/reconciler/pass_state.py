"""Keeps what a pass over a resource leaves for the next one in this process. Losing it is always safe."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, TypeVar

from pydantic import BaseModel

from secure_redis.api.azure_ids import CacheID
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.sharing import Shared
from secure_redis.domain.grants import VaultTarget
from secure_redis.domain.observe.identity import Identity, NamespaceIdentity, OperatorIdentity
from secure_redis.domain.observe.keys import Proven, VaultSecretFacts
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.actions import MarkKey, RegenerateKey
from secure_redis.domain.plan.outcomes import Failed, Outcome
from secure_redis.domain.plan.rotation import required_reads
from secure_redis.domain.plan.rotation.regeneration_mark import RegenerationMark
from secure_redis.domain.report.tampering import NOTHING_IN_PLACE, InPlace
from secure_redis.domain.steady_state import SteadyState
from secure_redis.kube.resource_bodies import LARGEST
from secure_redis.reconciler.next_pass import ReadyReport
from secure_redis.reconciler.write_backoff import WriteBackoff

Model = TypeVar("Model", bound=BaseModel)

_shared: Final = Shared(1024)  # parts of specs and statuses
_NOT_KNOWN: Final = set[str]()

ProofSubject = tuple[Identity, str, str, str]


@dataclass(frozen=True, slots=True)
class KeptProof:
    """A proof of one version of one vault secret, made at the monotonic time `at`."""

    subject: ProofSubject
    proven: Proven
    at: float


@dataclass(slots=True)
class PassState:
    """The state of one resource. Each reader keeps what it alone uses."""

    refresh: bool = False  # a refresh was requested, and not everything could be read since
    direct: bool = False  # something was written: read past the inventory until Azure is no longer busy
    proof: KeptProof | None = None
    # The regeneration that this process marked or found marked, and when it was last requested without a clear answer.
    regeneration: tuple[str, datetime | None] | None = None
    unreferenced: str | None = None  # uid of the resource whose Secrets were read, and none had its ownerReference
    reported_at: datetime | None = None  # when the status was last written
    steady: tuple[str, SteadyState] | None = None  # resourceVersion, and the last pass over it, if that changed nothing
    unknown_annotations: tuple[str, ...] = ()  # that an event reported
    in_place: InPlace = NOTHING_IN_PLACE  # at the end of the last pass
    ready: ReadyReport | None = None  # as the last whole pass reported it
    next_pass_within: float | None = None  # seconds until more can be read; None: nothing is missing
    writes: WriteBackoff = field(default_factory=WriteBackoff)


def proof_subject(identity: Identity, cache: CacheID, vault: VaultTarget, secret: VaultSecretFacts) -> ProofSubject:
    """Return what a proof is about."""
    return (identity, cache.key, f"{vault.uri}/{vault.secret_name}".lower(), secret.version)


def keep_reads(
    resource: SecureRedisCache, observed: Observation, proven: Proven | None, pass_state: PassState, now: float
) -> None:
    """Keep a fresh proof, so that the keys are not listed in every pass, and end a refresh. `now`: monotonic.

    A refresh ends once everything was read, or could not be read for a reason that lasts.
    """
    parts = (observed.identity, observed.cache, observed.vault)
    if not any(isinstance(part, Unknown) and not part.permanent for part in parts):
        pass_state.refresh = False
    settings, identity, secret = resource.spec.authentication, observed.identity, observed.vault
    if settings is None or not isinstance(identity, NamespaceIdentity | OperatorIdentity):
        return
    if isinstance(secret, Unknown):
        return
    if not isinstance(secret, VaultSecretFacts) or proven is None:
        pass_state.proof = None
    elif observed.proven is None:
        vault = VaultTarget(settings.key_vault.uri, settings.key_vault.secret_name)
        pass_state.proof = KeptProof(proof_subject(identity, resource.cache, vault, secret), proven, now)


def keep_regeneration(
    resource: SecureRedisCache, observed: Observation, outcomes: tuple[Outcome, ...], pass_state: PassState
) -> None:
    """Keep when the marked regeneration was requested from Azure, which a crash would make unknown.

    A refusal because Azure is busy counts as a request: an earlier one, whose answer was lost, may be what it does. It
    may end between the next read of the keys and the next request, which then regenerates the key a second time.
    """
    for outcome in outcomes:
        action, attempt = outcome.action, required_reads.attempt_of(resource, observed)
        if isinstance(action, RegenerateKey) and attempt is not None:
            clear = isinstance(outcome, Failed) and not outcome.maybe_done and outcome.reason is not Reason.BUSY
            pass_state.regeneration = (attempt, None if clear else observed.now)
        if isinstance(action, MarkKey):
            mark = RegenerationMark.on(action.tags)  # whether it was written or not, Azure has no request of it yet
            pass_state.regeneration = (mark.attempt, None) if mark is not None else None


def lean(steady: SteadyState) -> SteadyState | None:
    """Return an equal state that takes a third of the memory. None: its spec is too large to be kept between passes."""
    resource = steady.resource
    if len(resource.spec.model_dump_json(exclude={"resource_id"})) > LARGEST:
        return None
    resource = replace(resource, spec=_lean(resource.spec), status=_lean(resource.status))
    return replace(steady, resource=resource)


def _lean(model: Model) -> Model:
    """Return an equal model whose parts are shared with other resources, and that does not know what was declared.

    That is a third of a model's size. Only the defaults depend on it, which are part of the values already.
    """
    values = {name: _lean(value) if isinstance(value, BaseModel) else value for name, value in model}
    return _shared(model.model_construct(_fields_set=_NOT_KNOWN, **values))
