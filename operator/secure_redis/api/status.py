"""The status as it is written: small, nothing secret, and no number that changes by itself."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from secure_redis.api.reasons.reason import ConditionType
from secure_redis.api.times import parse_rfc3339

MESSAGE_LIMIT = 1024


def _time(text: str) -> str:
    """Check a time of a stored status, which anyone with permissions on it can have written.

    Raises:
        ValueError: it cannot be compared with another time. `status_of` then leaves its part out, as if it were lost.

    """
    if text and parse_rfc3339(text) is None:
        raise ValueError("not a time with a zone")
    return text


Time = Annotated[str, AfterValidator(_time)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="ignore", alias_generator=to_camel)


class Condition(_Part):
    """One condition; `last_transition_time` is RFC 3339 and changes only when `status` flips."""

    type: str
    status: str
    reason: str
    message: str = ""
    observed_generation: int | None = None
    last_transition_time: Time = ""


class Binding(_Part):
    """Service Binding's "provisioned service": the Secret's name."""

    name: str


class CacheStatus(_Part):
    """The cache as Azure last answered."""

    host_name: str | None = None
    port: int | None = None
    service: str | None = None
    sku: str | None = None
    provisioning_state: str | None = None
    redis_version: str | None = None
    ownership: str | None = None
    retires_on: str | None = None  # the day on which Microsoft retires the service, YYYY-MM-DD
    api_version: str | None = None


class EndpointAddress(_Part):
    """An address that the cluster's DNS gives for the host, and its scope."""

    address: str
    scope: str


class VerificationStatus(_Part):
    """Whether a check of the certificate succeeded; `message` says why not."""

    verified: bool
    message: str | None = None


class CertificateStatus(_Part):
    """The server's certificate. `issuer` only where the chain is verified; `not_after`: RFC 3339."""

    issuer: str | None = None
    not_after: Time


class UnseenStatus(_Part):
    """The parts that the probe could not find out, and why."""

    parts: tuple[str, ...]
    reason: str
    message: str


class EndpointStatus(_Part):
    """The probe's results, without the time. `unknown` lists what it did not find. `tls_versions`: those accepted."""

    addresses: tuple[EndpointAddress, ...] = ()
    tls_versions: tuple[str, ...] = ()
    chain: VerificationStatus | None = None
    name: VerificationStatus | None = None
    certificate: CertificateStatus | None = None
    non_tls_port: str | None = Field(default=None, alias="nonTLSPort")
    unknown: tuple[UnseenStatus, ...] = ()


class FailedStatus(_Part):
    """How many rules failed, by severity."""

    critical: int = 0
    high: int = 0
    medium: int = 0
    low: int = 0

    @property
    def total(self) -> int:
        """How many rules failed, whatever their severity."""
        return self.critical + self.high + self.medium + self.low


class FindingStatus(_Part):
    """A rule's result that is not Pass: Fail, Advice, Unknown or Waived."""

    rule: str
    result: str
    severity: str
    message: str


class ComplianceStatus(_Part):
    """Counts of results and what is not Pass. `notes`: which parts of profile, waivers and drift.ignore have no effect.

    Each count is that of the same result in `findings`. `threshold`: from this severity on, a finding counts for the
    condition Compliant. `summary`: what failed, counted by severity, such as `2C 1H 3?`; `?` counts what could not be
    judged. `passed_rules`: the ids of the rules that passed, in one line. The next process reads it until it has judged
    as much. A rule that is neither there nor in `findings` was not judged or does not apply.
    """

    summary: str | None = None

    passed: int = 0
    failed: FailedStatus = FailedStatus()
    advice: int = 0
    unknown: int = 0
    waived: int = 0
    threshold: str | None = None
    findings: tuple[FindingStatus, ...] = ()
    passed_rules: str = ""
    notes: tuple[str, ...] = ()


class CorrectionStatus(_Part):
    """How often one path was corrected while the spec had this generation.

    `count`: corrections that Azure accepted. `at`: RFC 3339, of the last one. `reason`, `message`: of its refusal.
    """

    path: str
    count: int
    at: Time
    generation: int
    reason: str | None = None
    message: str | None = None


class DriftStatus(_Part):
    """One field that differs.

    `since`: RFC 3339, when it was made, if the Activity Log contains it, else first observed. `effect`: what a
    correction would cause. `reason`: why a correction that the spec allows is blocked. `corrections`: how often it was
    corrected and came back. `by`: who made the difference, if that is certain.
    """

    path: str
    declared: str
    observed: str
    drift_class: str = Field(alias="class")
    since: Time = ""
    effect: str | None = None
    reason: str | None = None
    corrections: int | None = None
    by: str | None = None


class CredentialStatus(_Part):
    """Which key is published: names and dates, no part of the key."""

    slot: str | None = None
    key_vault_version: str | None = None
    published_at: Time | None = None
    expires_at: Time | None = None


class PendingStatus(_Part):
    """An irreversible action that is recorded before it is taken, until its effect is observed."""

    action: str
    recorded_at: Time
    detail: str = ""


class StalePods(_Part):
    """Pods that hold an older key: their number, and the first ten names."""

    count: int
    names: tuple[str, ...] = ()


class RotationPhase(StrEnum):
    """Where a rotation is. From INTENDED to RETIRING it is under way, and goes on after any crash."""

    SCHEDULED = "Scheduled"
    WAITING = "Waiting"  # due, and something blocks it; nothing was changed
    INTENDED = "Intended"  # recorded; Azure has no request yet
    REGENERATING = "Regenerating"  # requested from Azure, or possibly requested
    ROLLING_OUT = "RollingOut"  # the new key is in Key Vault
    RETIRING = "Retiring"  # every known pod has moved; the old key is regenerated
    COMPLETED = "Completed"
    SUPERSEDED = "Superseded"  # another party stored another key meanwhile


UNDER_WAY = frozenset(
    {RotationPhase.INTENDED, RotationPhase.REGENERATING, RotationPhase.ROLLING_OUT, RotationPhase.RETIRING}
)


class RotationStatus(_Part):
    """How far a rotation is. Times: RFC 3339. `target`: the slot whose key is regenerated.

    `request`: the value of the annotation that requested it; None: the schedule did. `recorded_at`: when the intent to
    regenerate the target was recorded. `holders`: pods that use the Secret without being listed and hold an older key.
    `due_at`: when the next one is due by the schedule. `slot`: which key was current when the last one was completed.
    """

    phase: str
    target: str | None = None
    request: str | None = None
    started_at: Time | None = None
    recorded_at: Time | None = None
    completed_at: Time | None = None
    due_at: Time | None = None
    slot: str | None = None
    reason: str | None = None
    message: str | None = None
    holders: StalePods | None = None


class WorkloadStatus(_Part):
    """The state of one entry of `spec.workloads` in one workload. `name` is empty where a selector matches nothing.

    `uid` and `dropped`: which object it was, and how often the whole injection vanished from it.
    """

    id: str
    kind: str
    name: str = ""
    injected: bool = False
    stale_pods: StalePods | None = None
    reason: str | None = None
    message: str | None = None
    uid: str | None = None
    dropped: int | None = None


class EffectiveStatus(_Part):
    """The settings that apply: from the spec, or from the operator's configuration. `profile` None: not judged yet."""

    mode: str
    profile: str | None = None
    interval_seconds: int


class LastHandled(_Part):
    """The last value of each request annotation that was answered."""

    refresh: str | None = None
    rotate: str | None = None


class Status(_Part):
    """The whole status."""

    observed_generation: int | None = None
    conditions: tuple[Condition, ...] = ()
    effective: EffectiveStatus | None = None
    binding: Binding | None = None
    cache: CacheStatus | None = None
    endpoint: EndpointStatus | None = None
    compliance: ComplianceStatus | None = None
    drift_count: int | None = None  # how many fields differ
    drift: tuple[DriftStatus, ...] = ()
    corrections: tuple[CorrectionStatus, ...] = ()  # also of paths that do not differ now
    credential: CredentialStatus | None = None
    rotation: RotationStatus | None = None
    pending: PendingStatus | None = None
    workloads: tuple[WorkloadStatus, ...] = ()
    stale_pods: StalePods | None = None  # of all workloads, and of none that is listed
    last_handled: LastHandled | None = None

    def condition(self, kind: ConditionType) -> Condition | None:
        """Return the condition of that type, if there is one."""
        return next((condition for condition in self.conditions if condition.type == kind), None)

    def document(self) -> dict[str, Any]:
        """Return the JSON for the API server, without absent members."""
        return self.model_dump(by_alias=True, exclude_none=True, mode="json")


def merge_conditions(before: Iterable[Condition], now: Iterable[Condition], at: str) -> tuple[Condition, ...]:
    """Carry `last_transition_time` over where the status did not flip, else set it to `at` (RFC 3339)."""
    old = {condition.type: condition for condition in before}
    merged = []
    for condition in now:
        previous = old.get(condition.type)
        same = previous is not None and previous.status == condition.status
        time = previous.last_transition_time if same and previous is not None else at
        message = condition.message[:MESSAGE_LIMIT]
        merged.append(condition.model_copy(update={"last_transition_time": time, "message": message}))
    return tuple(merged)
