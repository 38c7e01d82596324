from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.assess.key import (
    ToStore,
    key_to_store,
    keys_not_accepted,
    needs_authentication,
    needs_keys,
    prove,
    secret_missing,
    usable_value,
)
from secure_redis.domain.assess.rotation_record import claimed_slot
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
    cache,
    resource,
    vault,
)

OURS = {"ProviderAddress": CACHE_ID}
OTHERS = {"ProviderAddress": OTHER_ID}
DENIED = Unknown(Reason.AZURE_DENIED, "listKeys is not allowed")
UNREACHABLE = Unknown(Reason.AZURE_UNREACHABLE, "no route to the endpoint")
ACCEPTED, REFUSED = AuthenticationResult.ACCEPTED, AuthenticationResult.REFUSED
OPERATOR = OperatorIdentity()

SECOND = timedelta(seconds=1)
WRITING = {"authentication": {"keyVault": {**AUTHENTICATION["keyVault"], "access": "ReadWrite"}}}

Keys = ListedKeys | Unknown | NotRead
Auth = AuthenticationResult | Unknown | NotRead


def test_a_cache_can_accept_no_key() -> None:
    assert keys_not_accepted(cache()) is None
    assert keys_not_accepted(cache(access_keys_enabled=None, authentication_disabled=None)) is None
    for change, reason in (
        ({"access_keys_enabled": False}, Reason.ACCESS_KEYS_DISABLED),
        ({"authentication_disabled": True}, Reason.AUTHENTICATION_DISABLED),
    ):
        explanation = keys_not_accepted(cache(**change))
        assert explanation is not None
        assert explanation.reason is reason


GONE, DELETED = VaultSecretAbsent("none"), VaultSecretAbsent("none", deleted=True)
OLD = SecretStr("old")


@pytest.mark.parametrize(
    ("there", "listed", "outcome"),
    [
        (GONE, KEYS, ToStore(Slot.PRIMARY)),
        (GONE, DENIED, Reason.AZURE_DENIED),
        (GONE, NOT_READ, Reason.STORING_KEY),
        (DELETED, KEYS, Reason.VAULT_SECRET_DELETED),
        (vault(tags={}), KEYS, Reason.VAULT_SECRET_FOREIGN),
        (vault(tags=OTHERS, value=OLD), KEYS, Reason.VAULT_SECRET_FOREIGN),
        (vault(tags=OURS), KEYS, None),
        (vault(tags=OURS, value=OLD), KEYS, ToStore(Slot.PRIMARY)),
        (vault(tags={**OURS, "CredentialId": "Secondary"}, value=OLD), KEYS, ToStore(Slot.SECONDARY)),
        (vault(tags=OURS, value=OLD), DENIED, None),
        (vault(tags=OURS, value=OLD, enabled=False), KEYS, None),
        (vault(tags=OURS, value=None), KEYS, None),
    ],
)
def test_a_key_is_stored_only_where_it_is_missing_and_the_secret_is_this_caches(
    there: VaultSecretFacts | VaultSecretAbsent, listed: Keys, outcome: ToStore | Reason | None
) -> None:
    found = key_to_store(resource(WRITING), there, listed)
    assert (found.reason if isinstance(found, Explanation) else found) == outcome


def test_a_missing_secret_is_named() -> None:
    assert secret_missing(GONE).reason is Reason.VAULT_SECRET_NOT_FOUND
    assert secret_missing(DELETED).reason is Reason.VAULT_SECRET_DELETED


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"enabled": False, "value": None}, Reason.VAULT_SECRET_DISABLED),
        ({"not_before": NOW + SECOND}, Reason.VAULT_SECRET_NOT_YET_VALID),
        ({"expires": NOW - SECOND}, Reason.VAULT_SECRET_EXPIRED),
        ({"expires": NOW}, Reason.VAULT_SECRET_EXPIRED),
        ({"value": None}, Reason.KEY_MALFORMED),
        # Disabled is reported first: a person did it on purpose.
        ({"enabled": False, "expires": NOW - SECOND}, Reason.VAULT_SECRET_DISABLED),
    ],
)
def test_versions_that_must_not_be_used(changes: dict[str, Any], reason: Reason) -> None:
    refusal = usable_value(vault(**changes), NOW)
    assert isinstance(refusal, Explanation)
    assert refusal.reason is reason
    assert "orders-key" in refusal.message


@pytest.mark.parametrize(
    "changes", [{}, {"not_before": NOW}, {"expires": NOW + SECOND}, {"expires": None}, {"latest": False}]
)
def test_versions_that_may_be_used(changes: dict[str, Any]) -> None:
    assert usable_value(vault(**changes), NOW) == SecretStr(PRIMARY)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("", "is empty"),
        (" \n", "only whitespace"),
        (PRIMARY + "\n", "line break"),
        (PRIMARY + "\r\n", "line break"),
        ("a b" * 10, "whitespace"),
        ("\t" + PRIMARY, "whitespace"),
        (PRIMARY + "\0", "NUL"),
        (PRIMARY + "\x07", "printed"),
        (PRIMARY + "\x7f", "printed"),
        (PRIMARY + "é", "ASCII"),
        (PRIMARY + "\ufeff", "ASCII"),
        (PRIMARY + "\udcff", "ASCII"),
        (PRIMARY + ",ssl=False", "comma"),
        ("k" * 513, "512"),
    ],
)
def test_values_that_are_no_keys(value: str, fault: str) -> None:
    refusal = usable_value(vault(value=SecretStr(value)), NOW)
    assert isinstance(refusal, Explanation)
    assert refusal.reason is Reason.KEY_MALFORMED
    assert fault in refusal.message
    assert PRIMARY not in refusal.message
    assert "kkkk" not in refusal.message


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


@pytest.mark.parametrize("listed", [KEYS, DENIED])
def test_a_mismatch_names_the_shape_of_the_value(listed: Keys) -> None:
    for value, shape in ((f'"{PRIMARY}"', "; it has the shape of a quoted string: store the key alone"), ("old", "")):
        found = prove(resource(), IDENTITY, vault(value=SecretStr(value)), listed, REFUSED)
        assert isinstance(found, Explanation)
        assert found.reason is Reason.KEY_MISMATCH
        assert found.message.endswith(shape or ("version" if listed is KEYS else "late)"))
        assert PRIMARY not in found.message


def test_a_malformed_value_names_its_shape() -> None:
    found = usable_value(vault(value=SecretStr(f'{{"primaryKey":"{PRIMARY}","secondaryKey":"{PRIMARY}"}}')), NOW)
    assert isinstance(found, Explanation)
    assert "the shape of JSON" in found.message
    assert PRIMARY not in found.message


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
    slotted = vault(tags={"PROVIDERADDRESS": address, "credentialid": "secondary"})
    assert prove(resource(), identity, slotted, DENIED, UNREACHABLE) == Proven(ProvenBy.TAGGED, Slot.SECONDARY)


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
    ("claim", "slot"),
    [("Primary", Slot.PRIMARY), (" secondary ", Slot.SECONDARY), ("key1", None), ("", None), (None, None)],
)
def test_the_claimed_slot(claim: str | None, slot: Slot | None) -> None:
    assert claimed_slot({} if claim is None else {"CredentialId": claim}) is slot


PROVEN = Proven(ProvenBy.LISTED, Slot.PRIMARY)


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
    assert needs_keys(resource(WRITING), IDENTITY, GONE, None, NOW)
    assert not needs_keys(resource(WRITING), IDENTITY, DELETED, None, NOW)
    assert not needs_keys(resource(), IDENTITY, GONE, None, NOW)
    assert not needs_keys(resource(WRITING), IDENTITY, UNREACHABLE, None, NOW)
    assert not needs_authentication(resource(WRITING), IDENTITY, GONE, NOT_READ, None, NOW)
