"""Builds the reconciler from its parts. Only this module knows every constructor."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from secure_redis.api.azure_ids import Service
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import Key
from secure_redis.azure.cache_client import CacheClient
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
from secure_redis.domain.observe.managed_redis import ManagedRedis
from secure_redis.domain.observe.probe_target import Endpoint
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.types import Settings
from secure_redis.domain.report.endpoint_status import not_probed
from secure_redis.kube.client import KubeClient
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
from secure_redis.reconciler.observe.credential import Authenticate, CredentialReader
from secure_redis.reconciler.observe.endpoint import EndpointReader
from secure_redis.reconciler.observe.governance import GovernanceAges, GovernanceReader
from secure_redis.reconciler.observe.identity import IdentityReader
from secure_redis.reconciler.observe.keys import KeyReader
from secure_redis.reconciler.observe.kubernetes import KubernetesReader
from secure_redis.reconciler.observe.managed_redis import ManagedReader
from secure_redis.reconciler.observe.observer import Observer, ServiceReader
from secure_redis.reconciler.observe.probes import ProbeEndpoint, Probes, Rhythm
from secure_redis.reconciler.observe.redis import RedisReader
from secure_redis.reconciler.observe.rotation import RotationReader
from secure_redis.reconciler.observe.storage import StorageReader
from secure_redis.reconciler.observe.usage import Usage
from secure_redis.reconciler.observe.writers import WriterReader
from secure_redis.reconciler.reconcile import Reconciler
from secure_redis.telemetry.audit import Auditor
from secure_redis.telemetry.metrics import Metrics
from secure_redis.telemetry.rendering import collected_in_loop


@dataclass(frozen=True, slots=True)
class KubeClients:
    """The clients of Kubernetes that passes use."""

    resources: Resources
    secrets: Secrets
    workloads: Workloads
    accounts: ServiceAccounts
    namespaces: Namespaces
    events: EventRecorder
    config_maps: ConfigMaps
    foreign_secrets: ForeignSecrets


def build_kube_clients(config: Config, client: KubeClient, resources: Resources, events: EventRecorder) -> KubeClients:
    """Build the clients of Kubernetes on one client of the API server."""
    children = config.intervals.children_max_age_seconds
    return KubeClients(
        resources=resources,
        secrets=Secrets(client),
        workloads=Workloads(client, enabled=config.workloads.enabled),
        accounts=ServiceAccounts(client, time.monotonic, config.intervals.service_account_seconds),
        namespaces=Namespaces(client, time.monotonic),
        events=events,
        config_maps=ConfigMaps(client, time.monotonic, children),
        foreign_secrets=ForeignSecrets(client, time.monotonic, enabled=config.compliance.foreign_secrets, ttl=children),
    )


def request_token(accounts: ServiceAccounts) -> RequestToken:
    """Request tokens of ServiceAccounts, and turn a refusal into the error that `azure` knows."""

    async def request(identity: NamespaceIdentity) -> SecretStr:
        try:
            return await accounts.token(identity)
        except TokenRefused as refused:
            raise IdentityUnavailable(refused.why) from None

    return request


def prove_at(cloud: Cloud, ca_file: str | None) -> Authenticate:
    """AUTH at the host that ARM reported, and only if that is a Redis endpoint of the configured cloud."""

    async def attempt(host: str, port: int, password: SecretStr) -> AuthenticationResult | Unknown:
        if not (cloud.allows_redis_host(host) or cloud.allows_managed_redis_host(host)):
            return Unknown(
                Reason.AZURE_ERROR, f"{host} is no Redis host of the cloud {cloud.name}; no key was sent to it"
            )
        return await authenticate(host, port, password, ca_file=ca_file)

    return attempt


def probe_at(cloud: Cloud, ca_file: str | None, deadline: float) -> ProbeEndpoint:
    """Return a probe of the host that ARM reported, and only if that is a Redis endpoint of the configured cloud."""

    async def attempt(endpoint: Endpoint) -> EndpointFacts:
        if not (cloud.allows_redis_host(endpoint.host) or cloud.allows_managed_redis_host(endpoint.host)):
            why = Unknown(
                Reason.AZURE_ERROR,
                f"{endpoint.host} is no Redis host of the cloud {cloud.name}; it is not probed",
            )
            return not_probed(endpoint, why, _now())
        return await probe(
            endpoint.host,
            endpoint.port,
            plaintext_port=endpoint.plaintext_port,
            ca_file=ca_file,
            deadline=deadline,
            now=_now,
        )

    return attempt


@dataclass(frozen=True, slots=True)
class AzureClients:
    """The clients of Azure that passes use, all on one transport."""

    cloud: Cloud
    caches: Caches
    inventory: Inventory[Redis]
    clusters: ManagedCaches
    cluster_inventory: Inventory[ManagedRedis]
    vaults: Vaults
    key_vaults: KeyVaults
    accounts: StorageAccounts
    governance: Governance
    activity: Activity | None  # None: the configuration disables the Activity Log
    resource_manager: ResourceManager

    @property
    def clients(self) -> Mapping[Service, CacheClient]:
        """The client of each service."""
        return {Service.REDIS: self.caches, Service.MANAGED_REDIS: self.clusters}

    @property
    def inventories(self) -> Mapping[Service, Inventory[Any]]:
        """The inventory of each service."""
        return {Service.REDIS: self.inventory, Service.MANAGED_REDIS: self.cluster_inventory}


def build_transport(config: Config, metrics: Metrics, fence: Callable[[], None]) -> Transport:
    """Build the transport of all requests to Azure. `fence`: raises once leadership is lost."""
    return Transport(
        config.endpoints(),
        RateLimits(time.monotonic),
        tls=config.tls(),
        fence=fence,
        on_request=metrics.azure_request,
        connections=config.concurrency.azure_connections,
    )


def build_azure(config: Config, transport: Transport, accounts: ServiceAccounts) -> AzureClients:
    """Build the clients of Azure. Tokens are those of ServiceAccounts, or of the operator's own identity."""
    cloud, absence = transport.cloud, config.intervals.absence_confirmation_seconds
    credentials = Credentials(cloud, transport, request_token(accounts), config.credential())
    caches = Caches(transport, credentials)
    resource_manager = ResourceManager(transport, credentials)
    clusters = ManagedCaches(resource_manager)
    own = config.operator_identity
    activity = Activity(resource_manager, own.client_id if own is not None else None)
    return AzureClients(
        cloud=cloud,
        caches=caches,
        inventory=Inventory(caches, time.monotonic, absence),
        clusters=clusters,
        cluster_inventory=Inventory(clusters, time.monotonic, absence),
        vaults=Vaults(transport, credentials),
        key_vaults=KeyVaults(resource_manager, cloud),
        accounts=StorageAccounts(resource_manager),
        governance=Governance(resource_manager),
        activity=activity if config.activity_log.enabled else None,
        resource_manager=resource_manager,
    )


def build_services(
    config: Config, settings: Settings, azure: AzureClients, secrets: Secrets
) -> Mapping[Service, ServiceReader]:
    """Build one reader per service."""
    policy, ages = settings.policy, config.ages()
    storage = StorageReader(
        policy=policy,
        accounts=azure.accounts,
        vaults=azure.key_vaults,
        governance=azure.governance,
        resource_manager=azure.resource_manager,
        secrets=secrets,
        monotonic=time.monotonic,
        max_age=ages.children,
    )
    redis = RedisReader(
        policy=policy,
        caches=azure.caches,
        governance=azure.governance,
        inventory=azure.inventory,
        storage=storage,
        ages=ages,
        monotonic=time.monotonic,
    )
    managed = ManagedReader(
        policy=policy,
        clusters=azure.clusters,
        inventory=azure.cluster_inventory,
        vaults=azure.key_vaults,
        governance=azure.governance,
        ages=ages,
        monotonic=time.monotonic,
    )
    return {Service.REDIS: redis, Service.MANAGED_REDIS: managed}


def build_key_reader(config: Config, settings: Settings, azure: AzureClients) -> KeyReader:
    """Build the reader of the credential and of the rotation."""
    authenticate = prove_at(azure.cloud, config.ca_bundle)
    credential = CredentialReader(
        policy=settings.policy,
        clients=azure.clients,
        vaults=azure.vaults,
        authenticate=authenticate,
        ages=config.ages(),
        monotonic=time.monotonic,
    )
    return KeyReader(credential, RotationReader(settings=settings, clients=azure.clients, authenticate=authenticate))


def build_observer(
    config: Config, settings: Settings, clients: KubeClients, azure: AzureClients, probes: Probes, metrics: Metrics
) -> Observer:
    """Build the observer with one reader per subject."""
    intervals = config.intervals
    governance = GovernanceReader(
        governance=azure.governance,
        assignments={
            Service.REDIS: azure.governance.access_assignments,
            Service.MANAGED_REDIS: azure.clusters.assignments,
        },
        find_vault=azure.key_vaults.vault,
        activity=azure.activity,
        policy=settings.policy,
        ages=GovernanceAges(intervals.surroundings_max_age_seconds, intervals.surroundings_spread_seconds),
        monotonic=time.monotonic,
    )
    metrics.watch_observations(collected_in_loop(governance.ages))
    usage = Usage(clients.config_maps, clients.foreign_secrets)
    return Observer(
        namespaces=clients.namespaces,
        identity=IdentityReader(clients.accounts, settings.policy),
        services=build_services(config, settings, azure, clients.secrets),
        endpoint=EndpointReader(probes),
        keys=build_key_reader(config, settings, azure),
        governance=governance,
        kubernetes=KubernetesReader(settings, clients.secrets, clients.workloads, usage),
        writers=WriterReader(azure.activity, config.ages(), time.monotonic),
    )


def build_executor(clients: KubeClients, azure: AzureClients, metrics: Metrics) -> Executor:
    """Build the executor, which writes an audit record per write and counts them."""
    return Executor(
        resources=clients.resources,
        secrets=clients.secrets,
        workloads=clients.workloads,
        clients=azure.clients,
        caches=azure.caches,
        clusters=azure.clusters,
        inventories=azure.inventories,
        vaults=azure.vaults,
        audit=Auditor(metrics.wrote),
    )


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
    """Build the reconciler, with its session to Azure open and its probes running.

    `probed(key)`: a probe of a resource's endpoint found something else than the one before.

    Raises:
        ApiFailure: this cluster's uid could not be read.

    """
    transport = build_transport(config, metrics, fence)
    settings = config.settings(await clients.namespaces.cluster_uid())
    probes = Probes(
        probe_at(transport.cloud, config.ca_bundle, config.intervals.probe_timeout_seconds),
        Rhythm(config.intervals.probe_seconds, config.concurrency.probes),
        now=_now,
        monotonic=time.monotonic,
        woken=probed,
        on_probe=metrics.probed,
    )
    async with transport, probes:
        azure = build_azure(config, transport, clients.accounts)
        yield Reconciler(
            settings=settings,
            observer=build_observer(config, settings, clients, azure, probes, metrics),
            executor=build_executor(clients, azure, metrics),
            brakes=brakes,
            members=members,
            resources=clients.resources,
            secrets=clients.secrets,
            events=clients.events,
            now=_now,
            monotonic=time.monotonic,
            written=written,
            tampered=metrics.tampered,
        )


def _now() -> datetime:
    return datetime.now(UTC)
