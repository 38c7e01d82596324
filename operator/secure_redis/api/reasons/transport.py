"""The transport to a cache: its reasons, one row each."""

from collections.abc import Mapping
from typing import Final

from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import ReasonRow, row

TRANSPORT_REASONS: Final[Mapping[Reason, ReasonRow]] = {
    Reason.SECURED: row(
        "Only TLS 1.2 or newer is accepted and the non-TLS port is off.", on={ConditionType.TRANSPORT_SECURED}
    ),
    Reason.NON_TLS_PORT_OPEN: row(
        "The non-TLS port is open, as Azure reports or as the probe found.",
        "Close the port, or let the operator correct it: mode Provision, and Security in spec.drift.correct.",
        on={ConditionType.TRANSPORT_SECURED},
        rules={"T1", "T4"},
    ),
    Reason.MINIMUM_TLS_TOO_LOW: row(
        "The cache accepts TLS versions that are broken.",
        "Set the minimum TLS version to 1.2, or let the operator correct it: mode Provision, and Security in "
        "spec.drift.correct.",
        on={ConditionType.TRANSPORT_SECURED},
        rules={"T2"},
    ),
    Reason.MINIMUM_TLS_UNSET: row(
        "No minimum TLS version is set. Azure does not report which version it then enforces.",
        "Set the minimum TLS version to 1.2, or let the operator correct it: mode Provision, and Security in "
        "spec.drift.correct.",
        on={ConditionType.TRANSPORT_SECURED},
    ),
    Reason.TLS_TOO_OLD_ACCEPTED: row(
        "The probe found that the endpoint accepts TLS 1.0 or 1.1, whatever Azure reports.",
        "Set the minimum TLS version to 1.2. If it is set already, find out what answers there: a proxy, or "
        "another server under this name.",
        on={ConditionType.TRANSPORT_SECURED},
        rules={"T5"},
    ),
    Reason.CERTIFICATE_NOT_TRUSTED: row(
        "The probe found a certificate whose chain leads to no authority that the operator trusts. A proxy may be "
        "between the cluster and the cache.",
        "Find out what answers there. If it is a cloud with an authority of its own, set caBundle in the operator's "
        "configuration.",
        on={ConditionType.TRANSPORT_SECURED},
    ),
    Reason.CERTIFICATE_NAME_MISMATCH: row(
        "The probe found a certificate that is not for the cache's host name. Something else may answer under it.",
        "Find out what answers there: `status.endpoint.addresses` lists what the name resolves to in the cluster.",
        on={ConditionType.TRANSPORT_SECURED},
    ),
    Reason.CERTIFICATE_EXPIRED: row(
        "The probe found a certificate that is no longer valid.",
        "Azure renews its certificates by itself. Find out what answers there, or open a support request with Azure.",
        on={ConditionType.TRANSPORT_SECURED},
    ),
}
