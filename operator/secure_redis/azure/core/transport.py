"""The one HTTP session for all requests to Azure, and the pipelines that use it."""

import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from urllib.request import getproxies

import aiohttp
from aiohttp.abc import AbstractResolver
from azure.core.pipeline.policies import (
    ContentDecodePolicy,
    CustomHookPolicy,
    HeadersPolicy,
    RequestIdPolicy,
    UserAgentPolicy,
)
from azure.core.pipeline.transport import AioHttpTransport

from secure_redis.azure.core.bounded_answer import (
    LARGEST,
    LARGEST_OF_RESOURCE_MANAGER,
    BoundedResponse,
)
from secure_redis.azure.core.clouds import Cloud, host_of
from secure_redis.azure.core.failures import Source
from secure_redis.azure.core.policies import (
    CorrelationPolicy,
    Gate,
    HostGuard,
    NoRetries,
    OnRequest,
    Policies,
    is_write,
)
from secure_redis.azure.core.rate_limits import (
    ENTRA_RATE,
    SUBSCRIPTION_RATE,
    VAULT_RATE,
    Rate,
    RateLimits,
)

_USER_AGENT = "secure-redis-operator"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Timeouts in seconds: to connect, between two pieces of an answer, and for a whole exchange."""

    connect: float = 10.0
    read: float = 30.0
    total: float = 60.0


class AnswerLost(aiohttp.ClientConnectionError):
    """The connection broke after a write was sent. It is not known whether the write took effect."""


async def _write_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a write once.

    Aiohttp sends PUT and DELETE again when a connection breaks (measured; RFC 9112 section 9.3.1 allows it). There is
    no switch (aio-libs/aiohttp#10790). A second PUT is a second version of a secret, so writes get another error.
    """
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise  # nothing was sent
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        if is_write(request.method, str(request.url)):
            raise AnswerLost(type(error).__name__) from error
        raise


def _nothing(service: str, operation: str, status: int, seconds: float) -> None:
    pass


def through_proxy() -> bool:
    """Whether the environment names a proxy (HTTPS_PROXY and the like).

    Only then does aiohttp read the environment. It does so in two threads for every request, and reads .netrc as well,
    whose passwords no request may contain.
    """
    return any(scheme != "no" for scheme in getproxies())


class Transport:
    """One aiohttp session, one set of budgets. Open it as a context manager inside the running loop.

    One session and not `connection_verify=`: the latter makes a new TLS context and connection for every request of
    an async client (measured: 51 connections for 51 requests).
    """

    def __init__(
        self,
        cloud: Cloud,
        budgets: RateLimits,
        *,
        tls: ssl.SSLContext,
        fence: Callable[[], None] = lambda: None,
        on_request: OnRequest = _nothing,
        connections: int = 64,
        resolver: AbstractResolver | None = None,
        timeouts: Timeouts = Timeouts(),
        subscription_rate: Rate = SUBSCRIPTION_RATE,
        vault_rate: Rate = VAULT_RATE,
    ) -> None:
        """`fence` is called before every write and raises where this process no longer leads. `resolver`: another
        way to resolve names than the system's.
        """
        self.cloud = cloud
        self.budgets = budgets
        self._tls = tls
        self._fence = fence
        self._on_request = on_request
        self._connections = connections
        self._resolver = resolver
        self.timeouts = timeouts
        self._subscription_rate = subscription_rate
        self._vault_rate = vault_rate
        self._session: aiohttp.ClientSession | None = None
        self._http: AioHttpTransport | None = None

    async def __aenter__(self) -> "Transport":
        # The SDKs log whole error texts at WARNING. The operator reports cleaned texts in conditions instead.
        for library in ("azure", "msal"):
            logging.getLogger(library).setLevel(logging.CRITICAL)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls, limit=self._connections, resolver=self._resolver),
            auto_decompress=False,  # BoundedResponse does it, and counts
            response_class=BoundedResponse,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=through_proxy(),
            middlewares=(_write_once,),
        )
        self._http = AioHttpTransport(
            session=self._session,
            session_owner=False,
            connection_timeout=self.timeouts.connect,
            read_timeout=self.timeouts.read,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def http(self) -> AioHttpTransport:
        """The object that the SDK clients take as `transport=`.

        Raises:
            RuntimeError: the transport is not open.

        """
        if self._http is None:
            raise RuntimeError("the Azure transport is not open")
        return self._http

    def resource_manager_policies(
        self, subscription: str, identity: str, authentication: object, *, decode: bool = True
    ) -> Policies:
        """Return the whole pipeline of a Resource Manager client.

        It has no redirects, no retries, no automatic registration of resource providers (a write) and no logging.
        Without `decode` the caller reads the JSON itself, once.
        """
        return self._policies(
            HostGuard(self.cloud.is_resource_manager, str(Source.RESOURCE_MANAGER)),
            authentication,
            # Azure counts per principal and subscription: one team's throttling is not another's.
            self._gate(
                "arm",
                f"subscription {subscription.lower()} for {identity}",
                self._subscription_rate,
                largest=LARGEST_OF_RESOURCE_MANAGER,
            ),
            decode=decode,
        )

    def token_policies(self, tenant: str, client: str) -> Policies:
        """Return the whole pipeline of a token request.

        Each client of a tenant has a budget of its own: a namespace whose identity Entra throttles stops no other one.
        """
        return self._policies(
            HostGuard(self.cloud.is_authority, str(Source.ENTRA)),
            None,
            self._gate("entra", f"the tenant {tenant.lower()} for {client.lower()}", ENTRA_RATE),
        )

    def vault_guard(self, vault: str) -> HostGuard:
        """Return a guard that allows only the vault's own host."""
        own = host_of(vault)
        return HostGuard(lambda url: self.cloud.is_vault(url) and host_of(url) == own, str(Source.VAULT))

    def vault_gate(self, vault: str) -> Gate:
        """Return the gate of one vault; all identities share its budget."""
        return self._gate("keyvault", f"the vault {host_of(vault)}", self._vault_rate)

    def _gate(self, service: str, budget: str, rate: Rate, *, largest: int = LARGEST) -> Gate:
        return Gate(
            service=service,
            budget=budget,
            rate=rate,
            budgets=self.budgets,
            fence=self._fence,
            on_request=self._on_request,
            total_seconds=self.timeouts.total,
            largest=largest,
        )

    @staticmethod
    def _policies(guard: HostGuard, authentication: object, gate: Gate, *, decode: bool = True) -> Policies:
        return [
            RequestIdPolicy(),
            HeadersPolicy(),
            UserAgentPolicy(base_user_agent=_USER_AGENT),
            *([ContentDecodePolicy()] if decode else []),
            guard,
            CorrelationPolicy(),
            NoRetries(),
            *([authentication] if authentication is not None else []),
            CustomHookPolicy(),
            gate,
        ]
