"""Entra: client credentials by federated assertion or client secret, and the discovery that MSAL needs."""

import base64
import hmac
import json
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from sandbox.azure.access import tokens
from sandbox.azure.access.call import Call
from sandbox.azure.responses import Answer, Json
from sandbox.azure.seeds import seeds
from sandbox.azure.state.world import World

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_ALGORITHMS = ["RS256"]


class EntraError(Exception):
    """A refused token request: an AADSTS number, its OAuth error and text."""

    def __init__(self, number: int, error: str, text: str, status: int = 401) -> None:
        super().__init__(f"AADSTS{number}")
        self.number, self.error, self.text, self.status = number, error, text, status


async def handle(call: Call) -> Answer:
    """Answer a request to the login host."""
    parts = [part for part in call.path.split("/") if part]
    match [call.method, *parts]:
        case ["POST", tenant, "oauth2", "v2.0", "token"] | ["POST", tenant, "oauth2", "token"]:
            call.action = "token"
            form = dict(await call.request.post())
            try:
                return _token(call, tenant, {k: v for k, v in form.items() if isinstance(v, str)})
            except EntraError as error:
                return _refused(call, error)
        case ["GET", tenant, "v2.0", ".well-known", "openid-configuration"] | [
            "GET",
            tenant,
            ".well-known",
            "openid-configuration",
        ]:
            try:
                return Answer(200, _configuration(call.world, _tenant(call.world, tenant)))
            except EntraError as error:
                return _refused(call, error)
        case ["GET", "common", "discovery", "instance"]:
            return Answer(200, _instances(call.world, call.request.query.get("authorization_endpoint", "")))
        case ["GET", _, "discovery", "v2.0", "keys"]:
            return Answer(200, {"keys": [_public_jwk(call.world.signing_key.public_key())]})
    return Answer(404, {"error": "invalid_request", "error_description": "AADSTS900144: The request is not known."})


def _token(call: Call, tenant_name: str, form: Mapping[str, str]) -> Answer:
    world = call.world
    tenant = _tenant(world, tenant_name)
    if form.get("grant_type") != "client_credentials":
        raise EntraError(70003, "unsupported_grant_type", "The app requested an unsupported grant type.", 400)
    client = form.get("client_id", "")
    app = world.apps.get(client.lower())
    if app is None or app.tenant.lower() != tenant.id.lower():
        raise EntraError(
            700016,
            "unauthorized_client",
            f"Application with identifier '{client}' was not found in the directory '{tenant.domain or tenant.id}'. "
            "This can happen if the application has not been installed by the administrator of the tenant or consented "
            "to by any user in the tenant. You may have sent your authentication request to the wrong tenant.",
            400,
        )
    if "client_assertion" in form:
        if form.get("client_assertion_type") != _ASSERTION_TYPE:
            raise EntraError(50027, "invalid_request", "JWT token is invalid or malformed.", 400)
        _check_assertion(world, app, form["client_assertion"])
    elif "client_secret" in form:
        if app.secret is None or not hmac.compare_digest(app.secret, form["client_secret"]):
            raise EntraError(
                7000215,
                "invalid_client",
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
                f"value, not the client secret ID, for a secret added to app '{client}'.",
            )
    else:
        raise EntraError(
            7000218,
            "invalid_client",
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        )
    resource = _resource(world, form)
    cae = _handles_claims(form.get("claims", ""))
    token, life = tokens.issue(world, app, resource, cae=cae)
    call.principal = tokens.Principal(app.tenant, app.client_id, app.object_id)
    answer: Json = {"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token}
    return Answer(200, answer, {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"})


def _resource(world: World, form: Mapping[str, str]) -> str:
    scope = form.get("scope") or form.get("resource", "")
    if "scope" in form and not scope.split(" ")[0].endswith("/.default"):
        raise EntraError(
            1002012,
            "invalid_scope",
            f"The provided value for scope {scope} is not valid. Client credential flows must have a scope value with "
            "/.default suffixed to the resource identifier (application ID URI).",
            400,
        )
    found = tokens.audience(world, scope.split(" ")[0])
    if found is None:
        raise EntraError(
            500011,
            "invalid_resource",
            f"The resource principal named {scope.removesuffix('/.default')} was not found in the tenant.",
            400,
        )
    return found


def _tenant(world: World, name: str) -> seeds.Tenant:
    for tenant in world.tenants.values():
        if name.lower() in (tenant.id.lower(), tenant.domain.lower()):
            return tenant
    raise EntraError(
        90002,
        "invalid_request",
        f"Tenant '{name}' not found. Check to make sure you have the correct tenant ID and are signing into the "
        "correct cloud. Check with your subscription administrator, this may happen if there are no active "
        "subscriptions for the tenant.",
        400,
    )


def _check_assertion(world: World, app: seeds.App, assertion: str) -> None:
    try:
        claims: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise EntraError(50027, "invalid_request", "JWT token is invalid or malformed.", 400) from None
    issuer, subject, audience = claims.get("iss", ""), claims.get("sub", ""), claims.get("aud", "")
    audiences = [audience] if isinstance(audience, str) else list(audience)
    by_issuer = [f for f in app.federations if f.issuer == issuer]
    if not by_issuer:
        raise EntraError(
            700211,
            "invalid_client",
            f"No matching federated identity record found for presented assertion issuer '{issuer}'.",
        )
    by_subject = [f for f in by_issuer if f.subject == subject]
    if not by_subject:
        raise EntraError(
            700213,
            "invalid_client",
            f"No matching federated identity record found for presented assertion subject '{subject}'. Check your "
            "federated identity credential Subject, Audience and Issuer against the presented assertion.",
        )
    if not any(f.audience in audiences for f in by_subject):
        raise EntraError(
            700212,
            "invalid_client",
            f"No matching federated identity record found for presented assertion audience '{audiences[0]}'.",
        )
    _check_signature(world, issuer, assertion)
    now = world.token_time()
    if not isinstance(claims.get("exp"), int | float) or claims["exp"] <= now:
        raise EntraError(700024, "invalid_client", "Client assertion is not within its valid time range.")
    # Entra allows five minutes of clock skew for a token that is not valid yet.
    if isinstance(claims.get("nbf"), int | float) and claims["nbf"] > now + 300:
        raise EntraError(700024, "invalid_client", "Client assertion is not within its valid time range.")


def _check_signature(world: World, issuer: str, assertion: str) -> None:
    known = world.issuers.get(issuer)
    for pem in known.keys if known else ():
        key = load_pem_public_key(pem.encode())
        if not isinstance(key, rsa.RSAPublicKey):
            continue
        try:
            jwt.decode(
                assertion,
                key,
                algorithms=_ASSERTION_ALGORITHMS,
                options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError:
            continue
        return
    raise EntraError(
        7000272 if known is None else 700027,
        "invalid_client",
        "The issuer's signing keys could not be retrieved."
        if known is None
        else "The certificate with identifier used to sign the client assertion is not registered on application. "
        "[Reason - The key was not found.]",
    )


def _handles_claims(claims: str) -> bool:
    try:
        parsed = json.loads(claims or "{}")
    except ValueError:
        return False
    return "CP1" in parsed.get("access_token", {}).get("xms_cc", {}).get("values", [])


def _refused(call: Call, error: EntraError) -> Answer:
    stamp = datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    trace = str(uuid.uuid4())
    text = (
        f"AADSTS{error.number}: {error.text} Trace ID: {trace} Correlation ID: {call.correlation_id} Timestamp: {stamp}"
    )
    body: Json = {
        "error": error.error,
        "error_description": text,
        "error_codes": [error.number],
        "timestamp": stamp,
        "trace_id": trace,
        "correlation_id": call.correlation_id,
        "error_uri": f"{call.world.names.login}/error?code={error.number}",
    }
    return Answer(error.status, body)


def _configuration(world: World, tenant: seeds.Tenant) -> Json:
    base = f"{world.names.login}/{tenant.id}"
    return {
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "issuer": f"{base}/v2.0",
        "response_types_supported": ["code", "id_token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
    }


def _instances(world: World, authorization_endpoint: str) -> Json:
    tenant = next((t for t in world.tenants.values() if t.id in authorization_endpoint), None)
    host = world.names.login.removeprefix("https://")
    path = tenant.id if tenant else "common"
    return {
        "tenant_discovery_endpoint": f"{world.names.login}/{path}/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }


def _public_jwk(key: rsa.RSAPublicKey) -> Json:
    numbers = key.public_numbers()

    def encoded(number: int) -> str:
        raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    return {
        "kty": "RSA",
        "use": "sig",
        "kid": tokens.KEY_ID,
        "alg": "RS256",
        "n": encoded(numbers.n),
        "e": encoded(numbers.e),
    }
