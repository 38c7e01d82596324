"""A waiver silences the alert about the transport only where nothing else is wrong with it."""

import pytest

from secure_redis.api.reasons.catalogue import REASONS, reasons_on
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.status import (
    CertificateStatus,
    ComplianceStatus,
    Condition,
    EndpointStatus,
    FindingStatus,
    Status,
    VerificationStatus,
)
from secure_redis.domain.assess.rules import RULES
from secure_redis.telemetry.resource_state import waived_conditions

TRUSTED = EndpointStatus(
    chain=VerificationStatus(verified=True),
    name=VerificationStatus(verified=True),
    certificate=CertificateStatus(not_after="2027-01-01T00:00:00Z"),
)


def transport(
    reason: str, findings: dict[str, str], status: str = "False", endpoint: EndpointStatus | None = TRUSTED
) -> Status:
    return Status(
        conditions=(Condition(type="TransportSecured", status=status, reason=reason),),
        endpoint=endpoint,
        compliance=ComplianceStatus(
            findings=tuple(
                FindingStatus(rule=rule, result=result, severity="High", message="x")
                for rule, result in findings.items()
            )
        ),
    )


@pytest.mark.parametrize(
    ("reason", "findings"),
    [
        ("NonTLSPortOpen", {"T1": "Waived"}),
        ("NonTLSPortOpen", {"T1": "Waived", "T4": "Waived", "N1": "Fail"}),
        ("NonTLSPortOpen", {"T1": "Waived", "T4": "Unknown"}),
        ("PlaintextProtocol", {"T3": "Waived", "T4": "Waived"}),
        ("MinimumTLSTooLow", {"T2": "Waived"}),
        ("TLSTooOldAccepted", {"T5": "Waived"}),
    ],
)
def test_what_is_waived_raises_no_alert(reason: str, findings: dict[str, str]) -> None:
    assert waived_conditions(transport(reason, findings)) == ("TransportSecured",)
    assert waived_conditions(transport(reason, findings, endpoint=None)) == ("TransportSecured",)


UNTRUSTED = TRUSTED.model_copy(update={"chain": VerificationStatus(verified=False, message="self-signed")})
MISNAMED = TRUSTED.model_copy(update={"name": VerificationStatus(verified=False, message="for another name")})


@pytest.mark.parametrize(
    "status",
    [
        transport("NonTLSPortOpen", {"T1": "Fail"}),
        transport("NonTLSPortOpen", {"T1": "Waived", "T4": "Fail"}),
        transport("NonTLSPortOpen", {"T1": "Waived", "T2": "Fail"}),  # the condition names the first fault only
        transport("NonTLSPortOpen", {"T1": "Waived", "T5": "Fail"}),
        transport("NonTLSPortOpen", {"T2": "Waived"}),
        transport("NonTLSPortOpen", {"R1": "Waived"}),
        transport("NonTLSPortOpen", {}),
        transport("CertificateNameMismatch", {"T5": "Waived"}),
        transport("CertificateNotTrusted", {"T5": "Waived"}),
        transport("NonTLSPortOpen", {"T1": "Waived", "T5": "Waived"}, endpoint=UNTRUSTED),
        transport("NonTLSPortOpen", {"T1": "Waived", "T5": "Waived"}, endpoint=MISNAMED),
        transport("OfAnotherVersion", {"T1": "Waived"}),
        transport("MinimumTLSUnset", {"T2": "Waived"}, status="Unknown"),
        transport("Secured", {"T1": "Waived"}, status="True"),
        Status(conditions=(Condition(type="TransportSecured", status="False", reason="NonTLSPortOpen"),)),
        Status(),
    ],
)
def test_all_else_is_reported(status: Status) -> None:
    assert waived_conditions(status) == ()


def test_reasons_name_rules_that_exist() -> None:
    named = {rule for row in REASONS.values() for rule in row.rules}
    assert named == {"T1", "T2", "T3", "T4", "T5"}
    assert named <= {rule.id for rule in RULES}


def test_no_waiver_accepts_a_certificate() -> None:
    without = {reason for reason in reasons_on(ConditionType.TRANSPORT_SECURED) if not REASONS[reason].rules}
    certificates = {Reason.CERTIFICATE_EXPIRED, Reason.CERTIFICATE_NAME_MISMATCH, Reason.CERTIFICATE_NOT_TRUSTED}
    assert certificates <= without
