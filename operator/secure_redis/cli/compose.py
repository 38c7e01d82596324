"""The corridor, put together from its rooms: the one place that knows every constructor."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import Key
from secure_redis.azure.core.clouds import Cloud
from secure_redis.azure.core.credentials import Credentials, RequestToken
from secure_redis.azure.core.failures import IdentityUnavailable
from secure_redis.azure.core.rate_limits import RateLimits
from secure_redis.azure.core.resource_manager import ResourceManager
from secure_redis.azure.core.transport import Transport
from secure_redis.azure.governance.activity_log import Activity
from secure_redis.azure.governance.reads import Governance
from secure_redis.azure.inventory import Inventory
from secure_redis.azure.keyvault.encryption_keys import KeyVaults
from secure_redis.azure.keyvault.secrets import Vaults
from secure_redis.azure.managed_redis.client import ManagedCaches
from secure_redis.azure.redis.client import Caches
from secure_redis.azure.storage.accounts import StorageAccounts
from secure_redis.cli.config import Config
from secure_redis.domain.observe.endpoint import EndpointFacts
from secure_redis.domain.observe.identity import NamespaceIdentity
from secure_redis.domain.observe.keys import AuthenticationResult
from secure_redis.domain.observe.probe_target import Endpoint
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan import types
from secure_redis.domain.report.endpoint_status import unseen
from secure_redis.kube.events import EventRecorder
from secure_redis.kube.foreign_secrets import ForeignSecrets
from secure_redis.kube.namespaces import Namespaces
from secure_redis.kube.resources import Resources
from secure_redis.kube.secrets import Secrets
from secure_redis.kube.service_accounts import ServiceAccounts, TokenRefused
from secure_redis.kube.workloads.client import Workloads
from secure_redis.kube.workloads.config_maps import ConfigMaps
from secure_redis.probe.authentication import authenticate
from secure_redis.probe.endpoint import probe
from secure_redis.reconciler.act import Executor
from secure_redis.reconciler.brakes import Brakes
from secure_redis.reconciler.namespace_limits import NamespaceMembers
from secure_redis.reconciler.observe.governance import GovernanceAges, GovernanceObserver
from secure_redis.reconciler.observe.managed_redis import ManagedObserver
from secure_redis.reconciler.observe.observer import Authenticate, Observer
from secure_redis.reconciler.observe.probes import ProbeEndpoint, Probes, Rhythm
from secure_redis.reconciler.observe.storage import StorageObserver
from secure_redis.reconciler.observe.usage import Usage
from secure_redis.reconciler.pass_state import Ages
from secure_redis.reconciler.reconcile import Reconciler
from secure_redis.telemetry.audit import Auditor
from secure_redis.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class KubeClients:
    """The rooms of `kube/` that passes use."""

    resources: Resources
    secrets: Secrets
    workloads: Workloads
    accounts: ServiceAccounts
    namespaces: Namespaces
    events: EventRecorder
    config_maps: ConfigMaps
    foreign_secrets: ForeignSecrets


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


def look_at(cloud: Cloud, config: Config) -> ProbeEndpoint:
    """A probe of the host that ARM reported, and only if that is a Redis endpoint of the configured cloud."""

    async def attempt(endpoint: Endpoint) -> EndpointFacts:
        if not (cloud.allows_redis_host(endpoint.host) or cloud.allows_managed_redis_host(endpoint.host)):
            why = Unknown(
                Reason.AZURE_ERROR,
                f"{endpoint.host} is no Redis host of the cloud {cloud.name}; it is not probed",
            )
            return unseen(endpoint, why, datetime.now(UTC))
        return await probe(
            endpoint.host,
            endpoint.port,
            plaintext_port=endpoint.plaintext_port,
            ca_file=config.ca_bundle,
            deadline=config.intervals.probe_timeout_seconds,
            now=lambda: datetime.now(UTC),
        )

    return attempt


@asynccontextmanager
async def build_reconciler(
    config: Config,
    clients: KubeClients,
    metrics: Metrics,
    *,
    brakes: Brakes,
    members: NamespaceMembers,
    fence: Callable[[], None],
    written: Callable[[Key, Mapping[str, Any]], None],
    probed: Callable[[Key], None],
) -> AsyncIterator[Reconciler]:
    """The corridor, with its session to Azure open and its probes at work.

    `probed(key)`: a probe saw something else of a resource's endpoint than before.

    Raises:
        ApiFailure: this cluster's uid could not be read.

    """
    intervals = config.intervals
    transport = Transport(
        config.endpoints(),
        RateLimits(time.monotonic),
        tls=config.tls(),
        fence=fence,
        on_request=metrics.azure_request,
        connections=config.concurrency.azure_connections,
    )
    settings = types.Settings(
        cluster_uid=await clients.namespaces.cluster_uid(),
        policy=config.policy(),
        operation_poll=intervals.operation_poll_seconds,
        absence_confirmation=intervals.absence_confirmation_seconds,
        regeneration_settle=intervals.regeneration_settle_seconds,
        ca=config.published_ca(),
        waiver_policy=config.waiver_policy(),
    )
    probes = Probes(
        look_at(transport.cloud, config),
        Rhythm(intervals.probe_seconds, config.concurrency.probes),
        now=lambda: datetime.now(UTC),
        monotonic=time.monotonic,
        woken=probed,
        on_look=metrics.probed,
    )
    async with transport, probes:
        credentials = Credentials(transport.cloud, transport, request_token(clients.accounts), config.credential())
        caches = Caches(transport, credentials)
        inventory = Inventory(caches, time.monotonic, intervals.absence_confirmation_seconds)
        vaults = Vaults(transport, credentials)
        resource_manager = ResourceManager(transport, credentials)
        governance, key_vaults = Governance(resource_manager), KeyVaults(resource_manager, transport.cloud)
        storage = StorageObserver(
            policy=settings.policy,
            accounts=StorageAccounts(transport, credentials),
            vaults=key_vaults,
            governance=governance,
            resource_manager=resource_manager,
            secrets=clients.secrets,
            monotonic=time.monotonic,
            max_age=intervals.children_max_age_seconds,
        )
        ages = Ages(children=intervals.children_max_age_seconds, proof=intervals.proof_seconds)
        clusters = ManagedCaches(resource_manager)
        managed = ManagedObserver(
            policy=settings.policy,
            clusters=clusters,
            inventory=Inventory(clusters, time.monotonic, intervals.absence_confirmation_seconds),
            vaults=key_vaults,
            ages=ages,
            monotonic=time.monotonic,
        )
        own = config.operator_identity
        activity = Activity(resource_manager, own.client_id if own is not None else None)
        governance_observer = GovernanceObserver(
            governance=governance,
            find_vault=key_vaults.vault,
            activity=activity if config.activity_log.enabled else None,
            policy=settings.policy,
            ages=GovernanceAges(intervals.surroundings_max_age_seconds, intervals.surroundings_spread_seconds),
            monotonic=time.monotonic,
        )
        metrics.watch_observations(governance_observer.ages)
        observer = Observer(
            settings=settings,
            ages=ages,
            caches=caches,
            activity=activity if config.activity_log.enabled else None,
            inventory=inventory,
            vaults=vaults,
            authenticate=prove_at(transport.cloud, config.ca_bundle),
            probes=probes,
            accounts=clients.accounts,
            namespaces=clients.namespaces,
            secrets=clients.secrets,
            workloads=clients.workloads,
            storage=storage,
            managed=managed,
            governance=governance_observer,
            usage=Usage(clients.config_maps, clients.foreign_secrets),
            now=lambda: datetime.now(UTC),
            monotonic=time.monotonic,
        )

        executor = Executor(
            resources=clients.resources,
            secrets=clients.secrets,
            workloads=clients.workloads,
            caches=caches,
            inventory=inventory,
            vaults=vaults,
            audit=Auditor(metrics.wrote),
        )
        yield Reconciler(
            settings=settings,
            observer=observer,
            executor=executor,
            brakes=brakes,
            members=members,
            resources=clients.resources,
            secrets=clients.secrets,
            events=clients.events,
            now=lambda: datetime.now(UTC),
            written=written,
        )
