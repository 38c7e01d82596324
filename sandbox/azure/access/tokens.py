"""Access tokens: signed by the simulator, checked by the services that receive them."""

import base64
import json
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jwt

from sandbox.azure.seeds import seeds
from sandbox.azure.state.world import World

KEY_ID = "sandbox"


@dataclass(frozen=True, slots=True)
class Principal:
    """The identity to which a token was issued."""

    tenant: str
    client_id: str
    object_id: str


class TokenError(Exception):
    """A service refuses a token. `problem`: missing | malformed | audience | expired | revoked."""

    def __init__(self, problem: str, detail: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.detail = detail


def audience(world: World, resource: str) -> str | None:
    """Return the audience for a resource URL or scope, or None for one that this cloud does not have."""
    wanted = urlsplit(resource).netloc.lower()
    for known in (world.names.management, world.names.vault_resource):
        if urlsplit(known).netloc == wanted:
            return known
    return None


def issue(world: World, app: seeds.App, resource: str, *, cae: bool) -> tuple[str, int]:
    """Issue a token. Returns it with its life in seconds; `cae`: the client handles claims challenges."""
    now = int(world.token_time())
    life = int(world.settings.cae_token_seconds if cae else world.settings.token_seconds)
    token_id = uuid.uuid4().hex
    claims: dict[str, Any] = {
        "aud": resource,
        "iss": f"{world.names.login}/{app.tenant}/v2.0",
        "iat": now,
        "nbf": now,
        "exp": now + life,
        "appid": app.client_id,
        "azp": app.client_id,
        "oid": app.object_id,
        "sub": app.object_id,
        "tid": app.tenant,
        "idtyp": "app",
        "uti": token_id,
        "ver": "1.0",
    }
    if cae:
        claims["xms_cc"] = ["CP1"]
    world.issued[token_id] = app.object_id
    return jwt.encode(claims, world.signing_key, algorithm="RS256", headers={"kid": KEY_ID}), life


def check(world: World, authorization: str | None, expected: str) -> Principal:
    """Return the principal of the bearer token in an Authorization header. Raises TokenError."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise TokenError("missing")
    try:
        claims = jwt.decode(
            token.strip(),
            world.signing_key.public_key(),
            algorithms=["RS256"],
            # Times are checked below, by a clock that can be set wrong.
            options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except jwt.InvalidTokenError as error:
        raise TokenError("malformed", type(error).__name__) from None
    if claims["aud"] != expected:
        raise TokenError("audience", str(claims["aud"]))
    if claims["exp"] <= world.token_time():
        raise TokenError("expired")
    if claims["uti"] in world.revoked:
        raise TokenError("revoked")
    return Principal(claims["tid"], claims["appid"], claims["oid"])


def claims_challenge(world: World) -> str:
    """Return the `claims` of a continuous-access-evaluation challenge, base64."""
    wanted = {"access_token": {"nbf": {"essential": True, "value": str(int(world.token_time()))}}}
    return base64.b64encode(json.dumps(wanted).encode()).decode()
