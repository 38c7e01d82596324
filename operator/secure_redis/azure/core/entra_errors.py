"""Explain Microsoft Entra ID's refusals, and what to do about them (AADSTS numbers: Microsoft, "Microsoft Entra
authentication and authorization error codes"). Entra's own text holds trace ids and times, so it is not quoted.
"""

import re
from typing import Final

from secure_redis.api.reasons.catalogue import with_remedy
from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.failures import (
    Denied,
    Failure,
    Guard,
    Transient,
)
from secure_redis.telemetry.external_text import clean

_NUMBER = re.compile(r"AADSTS(\d{4,9})")
_SUBJECT = re.compile(
    r"(?:subject|Assertion Subject)[:\s]{0,9}'?(system:serviceaccount:[^'\s.,]{1,320})", re.IGNORECASE
)

_WHAT_TO_DO: Final = {
    "50034": "the account does not exist in the tenant; check the ServiceAccount's client-id and tenant-id",
    "50020": "the identity does not belong to the tenant; check the ServiceAccount's tenant-id",
    "53003": "a Conditional Access policy blocks the identity; ask the tenant's administrator",
    "70011": "the scope is not valid in this cloud; check the operator's cloud configuration",
    "70021": "no federated credential matches the ServiceAccount; add one with the cluster's issuer, the subject "
    "system:serviceaccount:<namespace>:<name> and the audience api://AzureADTokenExchange",
    "90002": "there is no such tenant; check the ServiceAccount's tenant-id",
    "90023": "the tenant-id is not valid; check the ServiceAccount's tenant-id",
    "500011": "the resource does not exist in the tenant; check the vault's or the operator's cloud configuration",
    "500111": "the token request was not accepted; check the operator's cloud configuration",
    "700016": "there is no application of this client-id in the tenant; check the ServiceAccount's client-id",
    "700024": "the ServiceAccount's token is outside its valid time; check the clocks of the cluster's nodes",
    "700027": "the cluster's signature was not accepted; check the issuer's published keys",
    "700211": "no federated credential has the cluster's issuer; correct the issuer of the federated credential",
    "700212": "no federated credential has the audience api://AzureADTokenExchange; correct the audience",
    "700213": "no federated credential has this ServiceAccount as subject; add one with the subject "
    "system:serviceaccount:<namespace>:<name>",
    "7000215": "the client's secret is wrong; use a federated credential",
    "7000222": "the client's secret has expired; use a federated credential",
}
_THROTTLED: Final = {"50196", "90055"}
_ISSUER_UNREACHABLE: Final = {"50166", "501661", "700030", "7000272"}
_ELSEWHERE: Final = {"90033", "50089", "90012", "90010"}


def classify_entra(message: str, retry_after: float | None, status: int = 0) -> Failure:
    """Classify a refused token request. Every refusal is retried slowly: it is repaired in Entra, without a signal."""
    found = _NUMBER.search(message)
    number = found.group(1) if found else ""
    if status == 429 or number in _THROTTLED:
        return Transient(Reason.AZURE_THROTTLED, "Microsoft Entra ID is throttling token requests", retry_after)
    if not found:
        if status >= 500:
            return Transient(Reason.AZURE_ERROR, f"Microsoft Entra ID answered {status}", retry_after)
        text = clean(message)
        why = f"no token could be had: {text}" if text else "no token could be had"
        return Transient(Reason.TOKEN_REFUSED, with_remedy(Reason.TOKEN_REFUSED, why), retry_after)
    if number in _ELSEWHERE or (status >= 500 and number not in _WHAT_TO_DO):
        return Transient(Reason.AZURE_ERROR, f"Microsoft Entra ID has a passing error (AADSTS{number})", retry_after)
    advice = _WHAT_TO_DO.get(number)
    if number in _ISSUER_UNREACHABLE:
        advice = "Entra could not read the cluster's issuer; check that its discovery document is public"
    if number == "700213":
        subject = _SUBJECT.search(message)
        if subject:
            advice = (
                f"no federated credential has the subject {subject.group(1)}; add one with the cluster's issuer and "
                "the audience api://AzureADTokenExchange"
            )
    text = advice or "see https://login.microsoftonline.com/error"
    return Denied(
        Reason.TOKEN_REFUSED,
        f"Microsoft Entra ID refused the token request (AADSTS{number}): {text}",
        Guard.ENTRA,
        f"AADSTS{number}",
    )
