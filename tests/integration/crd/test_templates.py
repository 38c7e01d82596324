"""The API server's own regular expressions accept and refuse the same templates as the builder."""

import pytest

from sandbox.api import Api, Document
from secure_redis.api import names
from tests.builders.connection_templates import BAD, GOOD

CACHE = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop/providers/Microsoft.Cache/redis/orders"


def declared(template: str) -> Document:
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": "templates", "namespace": "default"},
        "spec": {"resourceID": CACHE, "connection": {"template": {"OWN": template}}},
    }


@pytest.mark.parametrize("template", GOOD)
def test_accepted(api: Api, template: str) -> None:
    answer = api.create(declared(template), dry_run=True)
    assert answer.status == 201, answer.message


@pytest.mark.parametrize("template", BAD)
def test_refused(api: Api, template: str) -> None:
    answer = api.create(declared(template), dry_run=True)
    assert answer.status == 422, "it was accepted" if answer.ok else answer.message
    assert "spec.connection.template" in answer.message
