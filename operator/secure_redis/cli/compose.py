"""The corridor, put together from its rooms: the one place that knows every constructor."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from secure_redis.api.reasons import Reason
from secure_redis.api.resource import Key, SecureRedisCache
from secure_redis.azure.budgets import Budgets
from secure_redis.azure.cache import Caches
from secure_redis.azure.clouds import Cloud
from secure_redis.azure.credentials import Credentials, RequestToken
from secure_redis.azure.encryption_keys import KeyVaults
from secure_redis.azure.failures import IdentityUnavailable
from secure_redis.azure.inventory import Inventory
from secure_redis.azure.reader import Reader
from secure_redis.azure.surroundings import Surroundings
from secure_redis.azure.transport import Transport
from secure_redis.azure.vault import Vaults
from secure_redis.cli.config import Config
from secure_redis.domain import plan
from secure_redis.domain.observation import AuthenticationResult, NamespaceIdentity, Unknown
from secure_redis.kube.accounts import ServiceAccounts, TokenRefused
from secure_redis.kube.events import EventRecorder
from secure_redis.kube.namespaces import Namespaces
from secure_redis.kube.resources import Resources
from secure_redis.kube.secrets import Secrets
from secure_redis.kube.workloads import Workloads
from secure_redis.probe.authentication import authenticate
from secure_redis.reconciler import Ages, Corridor, Observer
from secure_redis.reconciler.act import Actor
from secure_redis.reconciler.observe import Authenticate
from secure_redis.reconciler.surroundings import Around, SurroundingsAges
from secure_redis.telemetry.audit import Auditor
from secure_redis.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class KubeRooms:
    """The rooms of `kube/` that passes use."""

    resources: Resources
    secrets: Secrets
    workloads: Workloads
    accounts: ServiceAccounts
    namespaces: Namespaces
    events: EventRecorder


def request_token(accounts: ServiceAccounts) -> RequestToken:
    """Tokens of ServiceAccounts, with the refusal in Azure's room's words."""

    async def request(identity: NamespaceIdentity) -> SecretStr:
        try:
            return await accounts.token(identity)
        except TokenRefused as refused:
            raise IdentityUnavailable(refused.why) from None

    return request


def prove_at(cloud: Cloud, ca_file: str | None) -> Authenticate:
    """AUTH at the host that ARM reported, and only if that is a Redis endpoint of the configured cloud."""

    async def attempt(host: str, port: int, password: SecretStr) -> AuthenticationResult | Unknown:
        if not cloud.allows_redis_host(host):
            return Unknown(
                Reason.AZURE_ERROR, f"{host} is no Redis host of the cloud {cloud.name}; no key was sent to it"
            )
        return await authenticate(host, port, password, ca_file=ca_file)

    return attempt


@asynccontextmanager
async def build_corridor(
    config: Config,
    rooms: KubeRooms,
    metrics: Metrics,
    *,
    fence: Callable[[], None],
    written: Callable[[Key, Mapping[str, Any]], None],
) -> AsyncIterator[Corridor]:
    """The corridor, with its session to Azure open.

    Raises:
        ApiFailure: this cluster's uid could not be read.

    """
    intervals = config.intervals
    transport = Transport(
        config.endpoints(),
        Budgets(time.monotonic),
        tls=config.tls(),
        fence=fence,
        on_request=metrics.azure_request,
        connections=config.concurrency.azure_connections,
    )
    settings = plan.Settings(
        cluster_uid=await rooms.namespaces.cluster_uid(),
        policy=config.policy(),
        operation_poll=intervals.operation_poll_seconds,
        absence_confirmation=intervals.absence_confirmation_seconds,
        regeneration_settle=intervals.regeneration_settle_seconds,
        ca=config.published_ca(),
        floor=config.floor(),
    )
    async with transport:
        credentials = Credentials(transport.cloud, transport, request_token(rooms.accounts), config.credential())
        caches = Caches(transport, credentials)
        inventory = Inventory(caches, time.monotonic, intervals.absence_confirmation_seconds)
        vaults = Vaults(transport, credentials)
        reader = Reader(transport, credentials)
        around = Around(
            surroundings=Surroundings(reader),
            find_vault=KeyVaults(reader, transport.cloud).vault,
            policy=settings.policy,
            ages=SurroundingsAges(intervals.surroundings_max_age_seconds, intervals.surroundings_spread_seconds),
            monotonic=time.monotonic,
        )
        metrics.watch_observations(around.ages)
        observer = Observer(
            settings=settings,
            ages=Ages(children=intervals.children_max_age_seconds, proof=intervals.proof_seconds),
            caches=caches,
            inventory=inventory,
            vaults=vaults,
            authenticate=prove_at(transport.cloud, config.ca_bundle),
            accounts=rooms.accounts,
            namespaces=rooms.namespaces,
            secrets=rooms.secrets,
            workloads=rooms.workloads,
            around=around,
            now=lambda: datetime.now(UTC),
            monotonic=time.monotonic,
        )

        def actor(parse: Callable[[Mapping[str, Any]], SecureRedisCache]) -> Actor:
            return Actor(
                resources=rooms.resources,
                secrets=rooms.secrets,
                workloads=rooms.workloads,
                caches=caches,
                inventory=inventory,
                vaults=vaults,
                audit=Auditor(metrics.wrote),
                written=parse,
            )

        yield Corridor(
            settings=settings,
            observer=observer,
            actor=actor,
            resources=rooms.resources,
            secrets=rooms.secrets,
            events=rooms.events,
            now=lambda: datetime.now(UTC),
            written=written,
        )
