"""A message with the words of Azure ends with what to do, in the operator's own words."""

import json

import pytest

from secure_redis.api.reasons.catalogue import REASONS
from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.errors import classify_answer
from secure_redis.azure.core.failures import Source

TEXT = "Words of Azure about this request."
ARM, VAULT = Source.RESOURCE_MANAGER, Source.VAULT
ANSWERS = [
    (ARM, 400, "BadRequest", TEXT, Reason.REQUEST_REFUSED),
    (ARM, 400, "InvalidResourceLocation", TEXT, Reason.REQUEST_REFUSED),
    (ARM, 400, "SkuNotAvailable", TEXT, Reason.REQUEST_REFUSED),
    (ARM, 400, "QuotaExceeded", TEXT, Reason.QUOTA_EXCEEDED),
    (ARM, 400, "BadRequest", f"{TEXT} It is retiring", Reason.RETIRED),
    (ARM, 400, "BadRequest", "Access key authentication is disabled", Reason.ACCESS_KEYS_DISABLED),
    (ARM, 401, "InvalidAuthenticationToken", TEXT, Reason.TOKEN_REFUSED),
    (ARM, 403, "AuthorizationFailed", TEXT, Reason.AZURE_DENIED),
    (ARM, 403, "ReadOnlyDisabledSubscription", TEXT, Reason.SUBSCRIPTION_UNAVAILABLE),
    (ARM, 403, "RequestDisallowedByPolicy", TEXT, Reason.DENIED_BY_POLICY),
    (ARM, 404, "SubscriptionNotFound", TEXT, Reason.SUBSCRIPTION_UNAVAILABLE),
    (ARM, 409, "Conflict", TEXT, Reason.BUSY),
    (ARM, 409, "NameNotAvailable", TEXT, Reason.NAME_TAKEN),
    (ARM, 409, "ScopeLocked", TEXT, Reason.LOCKED),
    (VAULT, 400, "BadParameter", TEXT, Reason.REQUEST_REFUSED),
    (VAULT, 401, "Unauthorized", f"AKV10032: {TEXT}", Reason.VAULT_OTHER_TENANT),
    (VAULT, 401, "Unauthorized", TEXT, Reason.TOKEN_REFUSED),
    (VAULT, 404, "VaultNotFound", TEXT, Reason.VAULT_NOT_FOUND),
    (VAULT, 409, "Conflict", TEXT, Reason.BUSY),
    (Source.ENTRA, 400, "invalid_request", TEXT, Reason.TOKEN_REFUSED),
]


@pytest.mark.parametrize(("source", "status", "code", "text", "reason"), ANSWERS)
def test_the_message_ends_with_the_remedy(source: Source, status: int, code: str, text: str, reason: Reason) -> None:
    body = json.dumps({"error": {"code": code, "message": text}})
    failure = classify_answer(status, {}, body, source)
    assert failure.reason is reason
    assert failure.message.endswith(f". {REASONS[reason].remedy}")
    assert "Words of Azure" not in text or ".." not in failure.message
