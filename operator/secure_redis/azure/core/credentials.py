"""Tokens through azure-identity: one per identity and scope, fetched once for all callers that wait."""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from azure.core.credentials import AccessToken
from azure.core.exceptions import AzureError
from azure.identity.aio import ClientAssertionCredential, ManagedIdentityCredential
from pydantic import SecretStr

from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.clouds import Cloud
from secure_redis.azure.core.errors import classify
from secure_redis.azure.core.expiring_cache import ExpiringCache
from secure_redis.azure.core.failures import (
    Denied,
    Failure,
    Guard,
    IdentityUnavailable,
    Permanent,
    Refused,
    Source,
    Transient,
)
from secure_redis.azure.core.transport import Transport
from secure_redis.domain.observe.identity import Identity, NamespaceIdentity
from secure_redis.telemetry import live_values

_LOG = logging.getLogger(__name__)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_TENANT = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,252}")
_TOKEN = re.compile(r"[\x21-\x7e]{1,32768}")
_LONGEST_LIFE = 7 * 24 * 3600.0  # seconds; Entra's longest have 28 hours (continuous access evaluation)
_REFRESH_BEFORE = 600.0  # seconds before expiry; the SDKs' policies come back at 300
_REMEMBER_FAILURE = 5.0  # so that 100 resources with one wrong identity do not send 100 requests


@dataclass(frozen=True, slots=True)
class WorkloadIdentity:
    """The operator's own federated identity: the token file is projected into its pod and read at each exchange."""

    client_id: str
    tenant_id: str
    token_file: str


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    """A user-assigned managed identity of the node, by explicit client id. Never the default chain."""

    client_id: str


OperatorCredential = WorkloadIdentity | ManagedIdentity
RequestToken = Callable[[NamespaceIdentity], Awaitable[SecretStr]]


@dataclass(slots=True)
class _TokenState:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    token: AccessToken | None = field(default=None, repr=False)
    claims: str | None = None  # the challenge that the token answers
    failure: Failure | None = None
    failed_at: float = 0.0


class Credentials:
    """Gives each identity its SDK credential. One identity's token is never given to another."""

    def __init__(
        self,
        cloud: Cloud,
        transport: Transport,
        request_token: RequestToken,
        operator_credential: OperatorCredential | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`request_token` fetches a ServiceAccount's token (Kubernetes TokenRequest) and raises IdentityUnavailable
        with the reason where it cannot. `clock`: seconds since the epoch, as tokens expire by it.
        """
        self._cloud = cloud
        self._transport = transport
        self._request_token = request_token
        self._operator = operator_credential
        self._clock = clock
        self._states: ExpiringCache[tuple[Identity, str, bool], _TokenState] = ExpiringCache(time.monotonic)

    def for_resource_manager(self, identity: Identity) -> "IdentityCredential":
        """Return the credential that an identity uses at Resource Manager: tokens for its scope only."""
        return IdentityCredential(self, identity, self._cloud.resource_manager_scope)

    def for_vault(self, identity: Identity, scope: str) -> "IdentityCredential":
        """Return the credential that an identity uses at a vault: tokens for `scope` only, whatever it requests."""
        return IdentityCredential(self, identity, scope)

    def forget(self, identity: Identity) -> None:
        """Drop the identity's tokens: one of them was answered by 401."""
        for key, state in self._states.items():
            if key[0] == identity:
                state.token = state.claims = None

    def tenant_of(self, identity: Identity) -> str | None:
        """Return the identity's tenant id; None where it is not known as a GUID."""
        tenant = None
        if isinstance(identity, NamespaceIdentity):
            tenant = identity.tenant_id
        elif isinstance(self._operator, WorkloadIdentity):
            tenant = self._operator.tenant_id
        return tenant if tenant is not None and _GUID.fullmatch(tenant) else None

    async def token(self, identity: Identity, scope: str, *, claims: str | None, cae: bool) -> AccessToken:
        """Return a token with at least some minutes left; with `claims` (a challenge), one that answers them.

        Raises:
            Refused: no token could be obtained; the failure names the cause.

        """
        state = self._states.get((identity, scope, cae), _TokenState)
        async with state.lock:
            now = self._clock()
            if claims is None:
                if state.token is not None and state.token.expires_on - now > _REFRESH_BEFORE:
                    return state.token
                if state.failure is not None and 0 <= now - state.failed_at < _REMEMBER_FAILURE:
                    return self._earlier_token(state, now, state.failure)
            elif state.token is not None and state.claims == claims:
                return state.token  # another request met the same challenge first
            else:
                state.token = None
            try:
                state.token = await self._exchange(identity, scope, claims=claims, cae=cae)
            except AzureError as error:
                state.failure, state.failed_at = classify(error, Source.ENTRA), self._clock()
                return self._earlier_token(state, now, state.failure)
            state.failure, state.claims = None, claims
            return state.token

    @staticmethod
    def _earlier_token(state: _TokenState, now: float, failure: Failure) -> AccessToken:
        if state.token is not None and state.token.expires_on - now > 60:
            _LOG.info("a token could not be renewed early; the earlier one is still valid")
            return state.token
        raise Refused(failure)

    async def _exchange(self, identity: Identity, scope: str, *, claims: str | None, cae: bool) -> AccessToken:
        options: dict[str, Any] = {"enable_cae": cae}
        if claims is not None:
            options["claims"] = claims
        if isinstance(identity, NamespaceIdentity):
            _require_tenant(identity)
            assertion = await self._assertion(identity)
            token = self._federate(identity.tenant_id, identity.client_id, assertion, scope, options)
        else:
            token = self._operator_token(scope, options)
        try:
            return await token
        except AzureError:
            raise
        except Exception as error:
            # azure-identity on an answer of another form, or with a tenant id that it does not take. Which exception
            # it raises depends on the answer: OverflowError, RecursionError, …
            raise Refused(
                Transient(
                    Reason.TOKEN_REFUSED,
                    f"{Source.ENTRA} gave no usable answer to the token request ({type(error).__name__})",
                )
            ) from None

    async def _assertion(self, identity: NamespaceIdentity) -> SecretStr:
        try:
            assertion = await self._request_token(identity)
        except IdentityUnavailable as error:
            raise Refused(Transient(error.unknown.reason, error.unknown.message, error.unknown.retry_after)) from None
        live_values.remember(assertion.get_secret_value())
        return assertion

    async def _federate(
        self, tenant: str, client: str, assertion: SecretStr, scope: str, options: dict[str, Any]
    ) -> AccessToken:
        # A credential per exchange: it keeps no token cache (this class has one by identity) and no old assertion.
        credential = ClientAssertionCredential(
            tenant,
            client,
            assertion.get_secret_value,
            authority=self._cloud.authority,
            transport=self._transport.http,
            policies=self._transport.token_policies(tenant, client),
        )
        return self._checked(await credential.get_token(scope, **options))

    def _checked(self, token: AccessToken) -> AccessToken:
        """Return the token with an expiry that can be calculated with.

        Raises:
            ValueError, TypeError: it is none that a header can carry.

        """
        text, now = token.token, self._clock()
        if not _TOKEN.fullmatch(text):  # TypeError where it is no text
            raise ValueError("the token is not a text that a header can carry")
        return AccessToken(text, int(min(token.expires_on, now + _LONGEST_LIFE)))

    async def _operator_token(self, scope: str, options: dict[str, Any]) -> AccessToken:
        if self._operator is None:
            raise Refused(Denied(Reason.NO_IDENTITY, "the operator has no Azure identity of its own", Guard.ROLE))
        if isinstance(self._operator, ManagedIdentity):
            # The SDK's own policies: the instance metadata service is at a link-local address, not in the cloud.
            async with (
                asyncio.timeout(self._transport.timeouts.total),
                ManagedIdentityCredential(
                    client_id=self._operator.client_id, transport=self._transport.http
                ) as credential,
            ):
                return self._checked(await credential.get_token(scope, **options))
        try:
            text = await asyncio.to_thread(_read, self._operator.token_file)
        except OSError as error:
            raise Refused(
                Transient(
                    Reason.TOKEN_REFUSED,
                    f"the operator's token file {self._operator.token_file} cannot be read ({type(error).__name__})",
                )
            ) from None
        return await self._federate(self._operator.tenant_id, self._operator.client_id, SecretStr(text), scope, options)


def _require_tenant(identity: NamespaceIdentity) -> None:
    if not _TENANT.fullmatch(identity.tenant_id):
        raise Refused(
            Permanent(
                Reason.TOKEN_REFUSED,
                f"the tenant-id of {identity} is not a tenant id; correct the ServiceAccount's annotation",
            )
        )


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - one small file
        return file.read().strip()


class IdentityCredential:
    """The AsyncTokenCredential that the SDK clients use: tokens of one identity for one scope."""

    def __init__(self, credentials: Credentials, identity: Identity, scope: str) -> None:
        self._credentials = credentials
        self._identity = identity
        self._scope = scope

    def __repr__(self) -> str:
        return f"IdentityCredential({self._identity}, {self._scope})"

    async def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **_: Any,
    ) -> AccessToken:
        """Return a token for the one scope. `tenant_id` comes from a vault's challenge.

        Raises:
            Refused: another scope or tenant was requested; no token leaves.

        """
        if tuple(scope.lower() for scope in scopes) != (self._scope.lower(),):
            raise Refused(
                Denied(
                    Reason.VAULT_NOT_ALLOWED,
                    "the vault requested a token of another resource than its own; none was given",
                    Guard.CLOUD,
                )
            )
        own = self._credentials.tenant_of(self._identity)
        if tenant_id is not None and own is not None and tenant_id.lower() != own.lower():
            # The vault's own word: it is named only if it has the form of a tenant's id or domain.
            where = f"the tenant {tenant_id}" if _TENANT.fullmatch(tenant_id) else "another tenant"
            raise Refused(
                Denied(
                    Reason.VAULT_OTHER_TENANT,
                    f"the vault belongs to {where}, the identity to {own}; use a vault of the identity's own tenant",
                    Guard.TENANT,
                )
            )
        token = await self._credentials.token(self._identity, self._scope, claims=claims, cae=enable_cae)
        live_values.remember(token.token)
        return token

    async def close(self) -> None:
        """Close nothing: it has no session of its own."""

    async def __aenter__(self) -> "IdentityCredential":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None
