"""The code that all routes of the resource manager share: the caller, its permissions, scopes, pages and headers."""

import secrets
import uuid
from typing import Any
from urllib.parse import urlencode

from sandbox.azure.access import role_checks, tokens
from sandbox.azure.access.call import Call
from sandbox.azure.responses import Answer, Json, Refusal
from sandbox.azure.seeds import seeds

_WRONG_AUDIENCE = (
    "The access token has been obtained for wrong audience or resource '{found}'. It should exactly match with one of "
    "the allowed audiences '{wanted}','{wanted}/'."
)
# 2018-03-01 to 2022-06-01 were answered in 2023 (recorded); the newest Go and JavaScript modules ask for 2022-01-01.
REDIS_API_VERSIONS = (
    "2024-11-01", "2024-03-01", "2023-08-01", "2023-04-01",
    "2022-06-01", "2022-01-01", "2021-06-01", "2020-12-01", "2020-06-01", "2018-03-01",
)  # fmt: skip


def authenticate(call: Call) -> None:
    """Set the caller. Raises Refusal 401, with a claims challenge for a revoked token."""
    world = call.world
    tenant = next(iter(world.tenants), "common")
    base = f'Bearer authorization_uri="{world.names.login}/{tenant}"'
    try:
        call.principal = tokens.check(world, call.request.headers.get("Authorization"), world.names.management)
    except tokens.TokenError as error:
        if error.problem == "missing":
            raise Refusal(
                401,
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing.",
                headers={"WWW-Authenticate": base},
            ) from None
        if error.problem == "revoked":
            challenge = (
                f'Bearer realm="", authorization_uri="{world.names.login}/common/oauth2/authorize", '
                f'error="insufficient_claims", claims="{tokens.claims_challenge(world)}"'
            )
            raise Refusal(
                401,
                "AuthenticationFailed",
                "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: "
                "TokenIssuedBeforeRevocationTimestamp",
                headers={"WWW-Authenticate": challenge},
            ) from None
        code, text = {
            "expired": ("ExpiredAuthenticationToken", "The access token has expired."),
            "audience": (
                "InvalidAuthenticationTokenAudience",
                _WRONG_AUDIENCE.format(found=error.detail, wanted=world.names.management),
            ),
        }.get(error.problem, ("InvalidAuthenticationToken", "The access token is invalid."))
        headers = {"WWW-Authenticate": f'{base}, error="invalid_token", error_description="{code}"'}
        raise Refusal(401, code, text, headers=headers) from None


def authorize(call: Call, action: str, scope: str) -> None:
    """Record the action and require the permission for it."""
    call.action = action
    assert call.principal is not None  # noqa: S101 - authenticate() comes first in handle()
    if not may(call, action, scope):
        raise role_checks.authorization_failed(call.principal.client_id, call.principal.object_id, action, scope)


def may(call: Call, action: str, scope: str) -> bool:
    """Return whether the caller has the permission. Only a permission that the caller has is recorded."""
    if call.principal is None or not role_checks.allowed(call.world, call.principal.object_id, action, scope):
        return False
    call.authorized.add(action)
    return True


def subscription(call: Call, identifier: str) -> seeds.Subscription:
    """Return the subscription, if it exists and belongs to the caller's tenant."""
    found = call.world.subscription(identifier)
    if found is None or found.state == "Deleted":
        raise Refusal(404, "SubscriptionNotFound", f"The subscription '{identifier}' could not be found.")
    assert call.principal is not None  # noqa: S101
    if found.tenant.lower() != call.principal.tenant.lower():
        login = call.world.names.login
        raise Refusal(
            401,
            "InvalidAuthenticationTokenTenant",
            f"The access token is from the wrong issuer '{login}/{call.principal.tenant}/'. It must match the tenant "
            f"'{login}/{found.tenant}/' associated with this subscription. Please use the authority (URL) "
            f"'{login}/{found.tenant}' to get the token.",
            headers={
                "WWW-Authenticate": f'Bearer authorization_uri="{login}/{found.tenant}", error="invalid_token", '
                'error_description="The access token is from the wrong issuer."'
            },
        )
    return found


def writable(found: seeds.Subscription) -> None:
    """Raise Refusal for a write in a disabled subscription. Reads still work."""
    if found.state != "Enabled":
        raise Refusal(
            409,
            "ReadOnlyDisabledSubscription",
            f"The subscription '{found.id}' is disabled and therefore marked as read only. You cannot perform any "
            "write actions on this subscription until it is re-enabled.",
        )


def group(call: Call, subscription_id: str, name: str) -> seeds.Group:
    """Return the resource group. Raises Refusal 404."""
    found = call.world.group(subscription_id, name)
    if found is None:
        raise Refusal(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
    return found


def api_version(call: Call, accepted: tuple[str, ...] | None = None) -> str:
    """Return the request's api-version. Raises Refusal 400 for none or an unknown one."""
    given = next((v for k, v in call.request.query.items() if k.lower() == "api-version"), "")
    if not given:
        raise Refusal(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    if accepted is not None and given not in accepted:
        raise Refusal(
            400,
            "NoRegisteredProviderFound",
            f"No registered resource provider found for API version '{given}' for type 'redis'. The supported "
            f"api-versions are '{', '.join(sorted(accepted))}'.",
        )
    return given


def page(call: Call, items: list[Any], size: int) -> Answer:
    """Return one page of a list; `nextLink` is a whole URL of the resource manager."""
    token = call.request.query.get("$skiptoken", "0")
    start = int(token) if token.isdigit() else 0
    body: Json = {"value": items[start : start + size]}
    if start + size < len(items):
        query = {"api-version": call.request.query.get("api-version", ""), "$skiptoken": str(start + size)}
        body["nextLink"] = f"{call.world.names.management}{call.request.path}?{urlencode(query)}"
    return Answer(200, body)


def provider_not_registered() -> Refusal:
    """Return the refusal of a write to Microsoft.Cache where it is not registered."""
    return Refusal(
        409,
        "MissingSubscriptionRegistration",
        "The subscription is not registered to use namespace 'Microsoft.Cache'. See https://aka.ms/rps-not-found for "
        "how to register subscriptions.",
    )


def headers(call: Call) -> dict[str, str]:
    """Return the headers of every ARM answer; the remaining counts are those of recorded traffic."""
    counted = {
        "GET": ("x-ms-ratelimit-remaining-subscription-global-reads", "16499"),
        "DELETE": ("x-ms-ratelimit-remaining-subscription-global-deletes", "11999"),
    }.get(call.method, ("x-ms-ratelimit-remaining-subscription-global-writes", "11999"))
    return {
        "x-ms-request-id": call.request_id,
        "x-ms-correlation-request-id": call.correlation_id,
        "x-ms-routing-request-id": f"SANDBOX:{uuid.uuid4()}",
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
        "Cache-Control": "no-cache",
        counted[0]: counted[1],
    }


def operation_url(call: Call, location: str, kind: str, operation: str, version: str) -> str:
    """Return the URL of an operation, signed by a long query like the real ones."""
    names = call.world.names
    place = location.replace(" ", "%20")
    signature = urlencode(
        {
            "api-version": version,
            "t": str(int(call.world.timeline.now())),
            "c": "c",
            "s": "s",
            "h": secrets.token_hex(24),
        }
    )
    return (
        f"{names.management}/subscriptions/{call.path.split('/')[2]}/providers/Microsoft.Cache/locations/{place}"
        f"/{kind}/{operation}?{signature}"
    )
