"""The operator's token requests: for Entra only, for an hour at most, in consenting namespaces only."""

from typing import Any

import pytest

from sandbox.api import Answer, Api
from secure_redis.api.names import TOKEN_AUDIENCE
from tests.integration.admission.conftest import NAMESPACE, UNBOUND


def request(api: Api, spec: dict[str, Any], space: str = NAMESPACE, name: str = "orders") -> Answer:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    return api.call("POST", f"/api/v1/namespaces/{space}/serviceaccounts/{name}/token", body)


@pytest.mark.parametrize("seconds", [600, 3600])
def test_the_operator_gets_a_token_for_entra(operator: Api, seconds: int) -> None:
    answer = request(operator, {"audiences": [TOKEN_AUDIENCE], "expirationSeconds": seconds})
    assert answer.status == 201, answer.message
    assert answer.body["spec"]["audiences"] == [TOKEN_AUDIENCE]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({}, "for the audience api://AzureADTokenExchange only"),
        ({"audiences": ["https://kubernetes.default.svc"]}, "for the audience api://AzureADTokenExchange only"),
        (
            {"audiences": [TOKEN_AUDIENCE, "https://kubernetes.default.svc"]},
            "for the audience api://AzureADTokenExchange only",
        ),
        ({"audiences": [TOKEN_AUDIENCE.lower()]}, "for the audience api://AzureADTokenExchange only"),
        ({"audiences": [TOKEN_AUDIENCE], "expirationSeconds": 3601}, "at most 3600 seconds"),
        ({"audiences": [TOKEN_AUDIENCE], "expirationSeconds": 86400}, "at most 3600 seconds"),
    ],
)
def test_any_other_token_is_refused(operator: Api, spec: dict[str, Any], words: str) -> None:
    answer = request(operator, spec)
    assert answer.status == 403
    assert words in answer.message
    assert "status" not in answer.body or "token" not in str(answer.body["status"])


def test_without_a_binding_there_is_no_token(operator: Api) -> None:
    answer = request(operator, {"audiences": [TOKEN_AUDIENCE], "expirationSeconds": 600}, UNBOUND)
    assert answer.status == 403
    assert 'cannot create resource "serviceaccounts/token"' in answer.message


def test_others_are_not_concerned(admin: Api) -> None:
    assert request(admin, {"expirationSeconds": 7200}).ok
