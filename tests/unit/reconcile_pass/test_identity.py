"""The identity of a resource is read once for its namespace, and kept once."""

from typing import Any

from secure_redis.domain.grants import GrantPolicy
from secure_redis.domain.observe.identity import NamespaceIdentity, ServiceAccountFacts
from secure_redis.reconciler.observe.identity import IdentityReader
from tests.builders.passes import resource


class Accounts:
    """Reads the same ServiceAccount again and again."""

    client_id = "22222222-2222-2222-2222-222222222222"

    async def read(self, _namespace: str, name: str) -> ServiceAccountFacts:
        return ServiceAccountFacts(name, "u1", self.client_id, "33333333-3333-3333-3333-333333333333", ("*",))


async def test_equal_identities_are_one_object_and_another_account_is_another_one() -> None:
    accounts: Any = Accounts()
    reader = IdentityReader(accounts, GrantPolicy())
    first, again = await reader.read(resource()), await reader.read(resource())
    assert isinstance(first, NamespaceIdentity)
    assert again is first
    accounts.client_id = "44444444-4444-4444-4444-444444444444"
    other = await reader.read(resource())
    assert isinstance(other, NamespaceIdentity)
    assert other.client_id == accounts.client_id
