"""The values of one resource's series, as its status reports them."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from secure_redis.api.reasons.catalogue import REASONS, reasons_on
from secure_redis.api.reasons.reason import ConditionType
from secure_redis.api.sharing import Shared
from secure_redis.api.status import UNDER_WAY, ComplianceStatus, EndpointStatus, Status

_TRANSPORT_RULES: Final = frozenset(
    rule for reason in reasons_on(ConditionType.TRANSPORT_SECURED) for rule in REASONS[reason].rules
)
_RULES_OF: Final = {str(reason): row.rules for reason, row in REASONS.items()}
_shared: Final = Shared(1024)  # most resources are in one of few states, of 2.7 KiB each


@dataclass(slots=True)
class ResourceState:
    """The values of one resource's series. Times: seconds since the epoch; None where there is none."""

    conditions: tuple[tuple[str, str], ...] | None = None  # type, status
    waived_conditions: tuple[str, ...] = ()
    drift: float = 0.0
    rules_passed: float | None = None
    findings: tuple[tuple[str, str, float], ...] = ()  # result, severity, number
    drift_interval: float | None = None  # seconds
    last_pass: float | None = None
    last_probe: float | None = None
    certificate_ends: float | None = None
    credential_published: float | None = None
    credential_expires: float | None = None
    rotation_started: float | None = None
    rotation_due: float | None = None
    cache_retires: float | None = None

    def take_over(self, status: Status) -> None:
        """Take over the values of a status."""
        self.conditions = _shared(tuple((str(one.type), str(one.status)) for one in status.conditions))
        self.waived_conditions = waived_conditions(status)
        self.drift = float(len(status.drift))
        self.rules_passed = float(status.compliance.passed) if status.compliance is not None else None
        self.findings = _shared(tuple(_findings(status.compliance))) if status.compliance is not None else ()
        certificate = status.endpoint.certificate if status.endpoint is not None else None
        self.certificate_ends = _timestamp(certificate.not_after if certificate is not None else None)
        credential, rotation = status.credential, status.rotation
        self.credential_published = _timestamp(credential.published_at if credential is not None else None)
        self.credential_expires = _timestamp(credential.expires_at if credential is not None else None)
        begun = rotation is not None and rotation.phase in UNDER_WAY
        self.rotation_started = _timestamp(rotation.started_at if rotation is not None and begun else None)
        self.rotation_due = _timestamp(rotation.due_at if rotation is not None else None)
        self.cache_retires = _timestamp(status.cache.retires_on if status.cache is not None else None)


def waived_conditions(status: Status) -> tuple[str, ...]:
    """List the conditions that are False only because of what waivers accept. At present: TransportSecured.

    All rules on the transport count, because the condition names the first fault only. No waiver accepts a
    certificate that is not trusted or not for the name: another party may answer in place of the cache.
    """
    secured = status.condition(ConditionType.TRANSPORT_SECURED)
    if secured is None or secured.status != "False" or status.compliance is None:
        return ()
    if not _is_certificate_valid(status.endpoint):
        return ()
    found = {one.rule: one.result for one in status.compliance.findings if one.rule in _TRANSPORT_RULES}
    accepted = {rule for rule, result in found.items() if result == "Waived"}
    if "Fail" in found.values() or not accepted & _RULES_OF.get(secured.reason, frozenset()):
        return ()
    return (ConditionType.TRANSPORT_SECURED,)


def _is_certificate_valid(endpoint: EndpointStatus | None) -> bool:
    """Whether the probe found nothing wrong with the chain and the name of the endpoint's certificate."""
    checks = (endpoint.chain, endpoint.name) if endpoint is not None else ()
    return all(check is None or check.verified for check in checks)


def _findings(compliance: ComplianceStatus) -> list[tuple[str, str, float]]:
    """Count the findings by result and severity. Failed ones are reported for each severity, also where none is."""
    failed = compliance.failed
    counted = Counter((one.result, one.severity) for one in compliance.findings if one.result in {"Unknown", "Waived"})
    return [
        ("Fail", "Critical", float(failed.critical)),
        ("Fail", "High", float(failed.high)),
        ("Fail", "Medium", float(failed.medium)),
        ("Fail", "Low", float(failed.low)),
        ("Advice", "Info", float(compliance.advice)),
        *((result, severity, float(number)) for (result, severity), number in sorted(counted.items())),
    ]


def _timestamp(value: str | None) -> float | None:
    """Parse an RFC 3339 time, or a day, which begins at midnight UTC. None: there is none, or it is no time."""
    try:
        parsed = datetime.fromisoformat(value or "")
    except ValueError:
        return None
    return (parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)).timestamp()
