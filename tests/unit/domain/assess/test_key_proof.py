from dataclasses import replace

import pytest
from pydantic import SecretStr

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.assess.key_proof import (
    claimed_slot,
    needs_authentication,
    needs_keys,
    prove,
)
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.identity import Identity, OperatorIdentity
from secure_redis.domain.observe.keys import (
    AuthenticationResult,
    ListedKeys,
    Proven,
    ProvenBy,
    Slot,
    VaultSecretAbsent,
    VaultSecretFacts,
)
from secure_redis.domain.observe.unknown import NOT_READ, NotRead, Unknown
from tests.builders.world import (
    AUTHENTICATION,
    CACHE_ID,
    IDENTITY,
    KEYS,
    NOW,
    OTHER_ID,
    PRIMARY,
    SECONDARY,
    resource,
    vault,
)

OURS = {"ProviderAddress": CACHE_ID}
OTHERS = {"ProviderAddress": OTHER_ID}
DENIED = Unknown(Reason.AZURE_DENIED, "listKeys is not allowed")
UNREACHABLE = Unknown(Reason.AZURE_UNREACHABLE, "no route to the endpoint")
ACCEPTED, REFUSED = AuthenticationResult.ACCEPTED, AuthenticationResult.REFUSED
OPERATOR = OperatorIdentity()

Keys = ListedKeys | Unknown | NotRead
Auth = AuthenticationResult | Unknown | NotRead


@pytest.mark.parametrize("listed", [KEYS, DENIED, NOT_READ])
@pytest.mark.parametrize("auth", [ACCEPTED, REFUSED, UNREACHABLE, NOT_READ])
@pytest.mark.parametrize("tags", [{}, OTHERS])
def test_under_the_operators_identity_the_tag_is_required_in_every_case(
    listed: Keys, auth: Auth, tags: dict[str, str]
) -> None:
    refusal = prove(resource(), OPERATOR, vault(tags=tags), listed, auth)
    assert isinstance(refusal, Explanation)
    assert refusal.reason is (Reason.VAULT_SECRET_FOREIGN if tags else Reason.KEY_UNPROVEN)
    assert f"ProviderAddress={CACHE_ID}" in refusal.message
    # The answer is the same whether the value is a live key or not: nothing is learned about it.
    assert refusal == prove(resource(), OPERATOR, vault(tags=tags, value=SecretStr("x")), listed, auth)


@pytest.mark.parametrize("identity", [IDENTITY, OPERATOR])
@pytest.mark.parametrize("auth", [ACCEPTED, REFUSED, UNREACHABLE, NOT_READ])
def test_listed_keys_decide_regardless_of_auth(identity: Identity, auth: Auth) -> None:
    assert prove(resource(), identity, vault(tags=OURS), KEYS, auth) == Proven(ProvenBy.LISTED, Slot.PRIMARY)
    second = vault(tags=OURS, value=SecretStr(SECONDARY))
    assert prove(resource(), identity, second, KEYS, auth) == Proven(ProvenBy.LISTED, Slot.SECONDARY)
    stale = prove(resource(), identity, vault(tags=OURS, value=SecretStr("old")), KEYS, auth)
    assert isinstance(stale, Explanation)
    assert stale.reason is Reason.KEY_MISMATCH


@pytest.mark.parametrize("tags", [{}, OURS, OTHERS])
@pytest.mark.parametrize("listed", [DENIED, NOT_READ])
def test_else_auth_decides(tags: dict[str, str], listed: Keys) -> None:
    there = vault(tags={**tags, "credentialid": "secondary"})
    assert prove(resource(), IDENTITY, there, listed, ACCEPTED) == Proven(ProvenBy.AUTHENTICATED, Slot.SECONDARY)
    refused = prove(resource(), IDENTITY, there, listed, REFUSED)
    assert isinstance(refused, Explanation)
    assert refused.reason is Reason.KEY_MISMATCH


@pytest.mark.parametrize("identity", [IDENTITY, OPERATOR])
@pytest.mark.parametrize("address", [CACHE_ID, CACHE_ID.upper(), CACHE_ID + "/", f" {CACHE_ID} "])
def test_otherwise_the_vaults_owner_declares_it(identity: Identity, address: str) -> None:
    there = vault(tags={"PROVIDERADDRESS": address})
    assert prove(resource(), identity, there, DENIED, UNREACHABLE) == Proven(ProvenBy.TAGGED, None)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/",
        OTHER_ID,
        CACHE_ID[:-1],
        CACHE_ID + "2",
        CACHE_ID + "/firewallRules/x",
        CACHE_ID.rpartition("/")[0],
        CACHE_ID.replace("/redis/", "/redisEnterprise/"),
        "orders",
    ],
)
def test_a_tag_of_another_resource_proves_nothing(address: str) -> None:
    refusal = prove(resource(), IDENTITY, vault(tags={"ProviderAddress": address}), DENIED, UNREACHABLE)
    assert isinstance(refusal, Explanation)
    assert refusal.reason is Reason.KEY_UNPROVEN
    assert DENIED.message in refusal.message
    assert UNREACHABLE.message in refusal.message


def test_nothing_shows_the_key_and_an_unread_value_proves_nothing() -> None:
    for listed, auth in ((DENIED, REFUSED), (DENIED, NOT_READ), (ListedKeys(SecretStr("a"), SecretStr("b")), NOT_READ)):
        verdict = prove(resource(), IDENTITY, vault(), listed, auth)
        assert isinstance(verdict, Explanation)
        assert PRIMARY not in verdict.message
    unread = prove(resource(), IDENTITY, vault(tags=OURS, value=None), KEYS, ACCEPTED)
    assert isinstance(unread, Explanation)


@pytest.mark.parametrize(
    ("said", "slot"),
    [("Primary", Slot.PRIMARY), (" secondary ", Slot.SECONDARY), ("key1", None), ("", None), (None, None)],
)
def test_the_claimed_slot(said: str | None, slot: Slot | None) -> None:
    assert claimed_slot(vault(tags={} if said is None else {"CredentialId": said})) is slot


PROVEN = Proven(ProvenBy.LISTED, Slot.PRIMARY)
WRITING = {"authentication": {"keyVault": {**AUTHENTICATION["keyVault"], "access": "ReadWrite"}}}


@pytest.mark.parametrize(
    ("identity", "there", "proven", "needed"),
    [
        (IDENTITY, vault(), None, True),
        (IDENTITY, vault(), PROVEN, False),
        (IDENTITY, vault(enabled=False), None, False),
        (IDENTITY, vault(expires=NOW), None, False),
        (IDENTITY, vault(value=SecretStr("")), None, False),
        (OPERATOR, vault(), None, False),
        (OPERATOR, vault(tags=OTHERS), None, False),
        (OPERATOR, vault(tags=OURS), None, True),
    ],
)
def test_what_must_be_read_next(
    identity: Identity, there: VaultSecretFacts, proven: Proven | None, needed: bool
) -> None:
    assert needs_keys(resource(), identity, there, proven, NOW) is needed
    assert needs_authentication(resource(), identity, there, DENIED, proven, NOW) is needed
    assert not needs_authentication(resource(), identity, there, KEYS, proven, NOW)
    bare = replace(resource(), spec=resource().spec.model_copy(update={"authentication": None}))
    assert not needs_keys(bare, identity, there, proven, NOW)
    assert not needs_authentication(bare, identity, there, DENIED, proven, NOW)


def test_a_key_that_is_to_be_stored_must_be_listed() -> None:
    gone, deleted = VaultSecretAbsent("none"), VaultSecretAbsent("none", deleted=True)
    assert needs_keys(resource(WRITING), IDENTITY, gone, None, NOW)
    assert not needs_keys(resource(WRITING), IDENTITY, deleted, None, NOW)
    assert not needs_keys(resource(), IDENTITY, gone, None, NOW)
    assert not needs_keys(resource(WRITING), IDENTITY, UNREACHABLE, None, NOW)
    assert not needs_authentication(resource(WRITING), IDENTITY, gone, NOT_READ, None, NOW)
