"""Tokens: exact issuer, subject and audience in federation, separate audiences, and MSAL's discovery."""

import json
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import AzureAuthorityHosts
from azure.identity.aio import ClientSecretCredential

from sandbox.azure.control.client import Control
from sandbox.azure.seeds import seeds
from tests.contract.conftest import (
    CLIENT,
    GROUP,
    ISSUER,
    OBJECT,
    OTHER_TENANT,
    SECRET,
    SUBJECT,
    SUBSCRIPTION,
    TENANT,
    VAULT,
    Issuer,
    Sdk,
    cache_seed,
)

FORM = {
    "grant_type": "client_credentials",
    "client_id": CLIENT,
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
}


async def token(sdk: Sdk, **options: Any) -> str:
    credential = sdk.credential(**options)
    return str((await credential.get_token(sdk.control.endpoints.management_scope)).token)


async def test_an_assertion_of_the_federated_subject_is_exchanged(sdk: Sdk, control: Control) -> None:
    assert await token(sdk)
    [request] = control.log.requests(service="entra")
    assert (request.status, request.principal, request.is_write) == (200, OBJECT, False)
    assert request.path == f"/{TENANT}/oauth2/v2.0/token"
    assert request.body_keys == ()


@pytest.mark.parametrize(
    ("options", "number", "text"),
    [
        ({"sub": f"{SUBJECT}x"}, 700213, f"assertion subject '{SUBJECT}x'"),
        ({"sub": SUBJECT.upper()}, 700213, "assertion subject"),
        ({"iss": "https://other.test"}, 700211, "assertion issuer 'https://other.test'"),
        ({"aud": "api://azureadtokenexchange"}, 700212, "assertion audience 'api://azureadtokenexchange'"),
        ({"seconds": -1}, 700024, "valid time range"),
        ({"client": "7d2c5f5e-0000-4000-8000-0000000000ff"}, 700016, "was not found in the directory"),
        ({"tenant": OTHER_TENANT}, 700016, "was not found in the directory"),
        ({"tenant": "7d2c5f5e-0000-4000-8000-0000000000fe"}, 90002, "not found"),
    ],
)
async def test_what_entra_refuses(sdk: Sdk, options: dict[str, Any], number: int, text: str) -> None:
    with pytest.raises(ClientAuthenticationError) as error:
        await token(sdk, **options)
    assert f"AADSTS{number}: " in error.value.message
    assert text in error.value.message


async def test_an_assertion_signed_by_another_key_is_refused(sdk: Sdk) -> None:
    sdk.issuer = Issuer()
    with pytest.raises(ClientAuthenticationError, match="AADSTS700027"):
        await token(sdk)


async def test_the_issuers_keys_can_be_rolled(sdk: Sdk, control: Control) -> None:
    old = sdk.issuer.public
    sdk.issuer = Issuer()
    control.seed(seeds.Issuer(issuer=ISSUER, keys=(old, sdk.issuer.public)))
    assert await token(sdk)


async def test_refusals_have_entras_json(sdk: Sdk, control: Control) -> None:
    url = f"{control.endpoints.authority}/{TENANT}/oauth2/v2.0/token"
    form = {**FORM, "client_assertion": sdk.issuer.token(sub="x"), "scope": control.endpoints.management_scope}
    async with sdk.session.post(url, data=form) as answer:
        body = await answer.json()
        assert answer.status == 401
    assert set(body) == {
        "error", "error_description", "error_codes", "timestamp", "trace_id", "correlation_id", "error_uri",
    }  # fmt: skip
    assert (body["error"], body["error_codes"]) == ("invalid_client", [700213])
    for change, number in (({"scope": "https://elsewhere.test/.default"}, 500011), ({"scope": "x"}, 1002012)):
        async with sdk.session.post(url, data={**form, "client_assertion": sdk.issuer.token(), **change}) as answer:
            assert (answer.status, (await answer.json())["error_codes"]) == (400, [number])


async def test_a_client_secret_works_and_a_wrong_one_does_not(sdk: Sdk, control: Control) -> None:
    options: dict[str, Any] = {"authority": control.endpoints.authority, "transport": sdk.transport, "retry_total": 0}
    good = ClientSecretCredential(TENANT, CLIENT, SECRET, **options)
    assert (await good.get_token(control.endpoints.management_scope)).token
    bad = ClientSecretCredential(TENANT, CLIENT, "wrong", **options)
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        await bad.get_token(control.endpoints.management_scope)


async def _ask(sdk: Sdk, url: str, bearer: str | None) -> tuple[int, str, Any]:
    headers = {"Authorization": f"Bearer {bearer}"} if bearer is not None else {}
    async with sdk.session.get(url, headers=headers) as answer:
        return answer.status, answer.headers.get("WWW-Authenticate", ""), json.loads(await answer.read())


async def test_tokens_of_one_service_are_refused_by_the_other(sdk: Sdk, control: Control) -> None:
    control.seed(cache_seed())
    control.keyvault.set_secret(VAULT, "key", "value")
    credential = sdk.credential()
    arm = (await credential.get_token(control.endpoints.management_scope)).token
    vault = (await credential.get_token(f"https://{control.endpoints.vault_suffix}/.default")).token
    base = f"{control.endpoints.management}/subscriptions/{SUBSCRIPTION}?api-version=2022-12-01"
    secret = f"{control.endpoints.vault_url(VAULT)}/secrets/key/?api-version=7.6"
    assert (await _ask(sdk, base, arm))[0] == (await _ask(sdk, secret, vault))[0] == 200
    status, _, body = await _ask(sdk, base, vault)
    assert (status, body["error"]["code"]) == (401, "InvalidAuthenticationTokenAudience")
    status, challenge, body = await _ask(sdk, secret, arm)
    assert (status, body["error"]["code"]) == (401, "Unauthorized")
    assert body["error"]["message"].startswith("AKV10022: Invalid audience.")
    assert f'authorization="{control.endpoints.authority}/{TENANT}"' in challenge


async def test_missing_and_forged_tokens(sdk: Sdk, control: Control) -> None:
    base = f"{control.endpoints.management}/subscriptions/{SUBSCRIPTION}?api-version=2022-12-01"
    assert (await _ask(sdk, base, None))[2]["error"]["code"] == "AuthenticationFailed"
    forged = sdk.issuer.token(aud=control.endpoints.management, oid=OBJECT, tid=TENANT, appid=CLIENT)
    status, challenge, body = await _ask(sdk, base, forged)
    assert (status, body["error"]["code"]) == (401, "InvalidAuthenticationToken")
    assert "authorization_uri=" in challenge


async def test_a_token_of_another_tenant_is_refused_by_the_subscription(sdk: Sdk, control: Control) -> None:
    federations = (seeds.Federation(issuer=ISSUER, subject=SUBJECT),)
    control.seed(
        cache_seed(), seeds.App(tenant=OTHER_TENANT, client_id=OTHER_TENANT, object_id="oid", federations=federations)
    )
    stranger = sdk.credential(tenant=OTHER_TENANT, client=OTHER_TENANT)
    async with sdk.redis(credential=stranger) as client:
        with pytest.raises(ClientAuthenticationError, match="InvalidAuthenticationTokenTenant"):
            await client.redis.get(GROUP, "orders")


async def test_tokens_live_longer_for_clients_that_handle_claims(sdk: Sdk, control: Control) -> None:
    credential = sdk.credential()
    plain = await credential.get_token(control.endpoints.management_scope)
    cae = await credential.get_token(control.endpoints.management_scope, enable_cae=True)
    assert 3500 < plain.expires_on - control.clock.now() <= 3600
    assert cae.expires_on - control.clock.now() > 80_000


async def test_msal_finds_the_authority(sdk: Sdk, control: Control) -> None:
    assert AzureAuthorityHosts.AZURE_PUBLIC_CLOUD not in control.endpoints.authority
    authority = control.endpoints.authority
    async with sdk.session.get(f"{authority}/{TENANT}/v2.0/.well-known/openid-configuration") as answer:
        configuration = await answer.json()
    assert configuration["token_endpoint"] == f"{authority}/{TENANT}/oauth2/v2.0/token"
    assert configuration["issuer"] == f"{authority}/{TENANT}/v2.0"
    query = {"api-version": "1.1", "authorization_endpoint": f"{authority}/{TENANT}/oauth2/v2.0/authorize"}
    async with sdk.session.get(f"{authority}/common/discovery/instance", params=query) as answer:
        found = await answer.json()
    assert found["tenant_discovery_endpoint"].startswith(f"{authority}/{TENANT}/")
