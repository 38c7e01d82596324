"""Two attempts that Azure refuses alike become equal failures, however the refusals are numbered and dated."""

import json

import pytest

from secure_redis.azure.core.errors import classify, classify_answer
from secure_redis.azure.core.failures import Failure, Source
from tests.unit.azure.core.test_errors import http
from tests.unit.telemetry.refusals import REFUSALS, Refusal, attempt

OPERATION_SCOPE = "/subscriptions/s/providers/Microsoft.Cache/locations/weu/operationresults/<guid>"
OWN_WORDS = (
    Refusal(
        "denied", 403, "AuthorizationFailed", f"You may not perform action 'a/read' over scope '{OPERATION_SCOPE}'."
    ),
    Refusal("policy", 403, "RequestDisallowedByPolicy", "Resource 'orders' was disallowed by policy. RequestID=<guid>"),
    Refusal(
        "linked",
        403,
        "LinkedAuthorizationFailed",
        f"does not have permission to perform action(s) 'a/read' on the linked scope(s) '{OPERATION_SCOPE}'",
    ),
)


def _body(refusal: Refusal, source: Source, number: int) -> str:
    message = attempt(refusal.message, number)
    if source is Source.ENTRA:
        return json.dumps({"error": refusal.code, "error_description": message, "timestamp": str(number)})
    return json.dumps({"error": {"code": refusal.code, "message": message, "target": None}})


@pytest.mark.parametrize(
    "refusal", [*REFUSALS, *OWN_WORDS], ids=lambda one: f"{one.source.split()[-1][:40]}:{one.code}"
)
@pytest.mark.parametrize("source", Source)
def test_a_refusal_that_comes_again_is_the_same_failure(refusal: Refusal, source: Source) -> None:
    statuses = {refusal.status if refusal.status >= 400 else 400, 400, 401, 403, 404, 409, 500, 503}
    for status in statuses:
        bodies = [_body(refusal, source, number) for number in (1, 2)]
        answers: list[Failure] = [classify_answer(status, {}, body, source) for body in bodies]
        raised: list[Failure] = [classify(http(status, body), source) for body in bodies]
        assert answers[0] == answers[1]
        assert raised[0] == raised[1]
        assert len(answers[0].message) < 1024  # what a condition keeps
