"""The operator's room `azure` through the real SDKs against the Azure simulator."""

import socket
import ssl
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from sandbox.azure.control.client import Control
from sandbox.azure.seeds import seeds
from sandbox.azure.simulator import AzureSimulator
from secure_redis.api.azure_ids import CacheID
from secure_redis.azure.core.clouds import Cloud
from secure_redis.azure.core.credentials import Credentials
from secure_redis.azure.core.rate_limits import RateLimits
from secure_redis.azure.core.resource_manager import ResourceManager
from secure_redis.azure.core.transport import Timeouts, Transport
from secure_redis.azure.inventory import Inventory
from secure_redis.azure.keyvault.secrets import Vaults
from secure_redis.azure.managed_redis.client import ManagedCaches
from secure_redis.azure.redis.client import Caches
from secure_redis.domain.observe.identity import NamespaceIdentity
from secure_redis.domain.observe.redis import Redis

TENANT = "99999999-8888-7777-6666-555555555555"
OTHER_TENANT = "99999999-8888-7777-6666-000000000000"
ISSUER = "https://kubernetes.default.svc.sandbox.test"
AUDIENCE = "api://AzureADTokenExchange"
READ = "Microsoft.Cache/redis/read"


class ToLoopback(AbstractResolver):
    """The simulator's names are this machine, without touching the machine's own."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=socket.AI_NUMERICHOST
            )
        ]

    async def close(self) -> None:
        return None


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory, key: rsa.RSAPrivateKey) -> Iterator[Control]:
    with AzureSimulator(tmp_path_factory.mktemp("azure")) as running:
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        running.control.seed(
            seeds.Tenant(id=TENANT),
            seeds.Tenant(id=OTHER_TENANT, redis_customer=False),
            seeds.Issuer(issuer=ISSUER, keys=(pem,)),
        )
        yield running.control


@pytest.fixture(scope="session")
def cloud(simulator: Control) -> Cloud:
    where = simulator.endpoints
    return Cloud(
        name="Sandbox",
        resource_manager=where.management,
        resource_manager_scope=where.management_scope,
        authority=where.authority,
        vault_suffixes=(where.vault_suffix,),
        redis_suffixes=(where.redis_suffix,),
    )


@dataclass
class Site:
    """One test's own subscription, group, identity and clients; everything else is shared."""

    control: Control
    transport: Transport
    credentials: Credentials
    caches: Caches
    inventory: Inventory[Redis]
    vaults: Vaults
    clock: Clock
    identity: NamespaceIdentity
    object_id: str
    mark: int
    subscription: str = field(default_factory=lambda: str(uuid.uuid4()))
    name: str = field(default_factory=lambda: f"s{uuid.uuid4().hex[:10]}")
    group: str = "shop"
    claims: dict[str, Any] = field(default_factory=dict)  # put over those of the ServiceAccount's token

    @property
    def cache(self) -> CacheID:
        return self.id_of(self.name)

    def id_of(self, name: str) -> CacheID:
        return CacheID.parse(seeds.cache_scope(self.subscription, self.group, name))

    @property
    def vault(self) -> str:
        return self.control.endpoints.vault_url(self.name)

    @property
    def vault_scope(self) -> str:
        return seeds.vault_scope(self.subscription, self.group, self.name)

    def allow(self, *actions: str, scope: str = "", data: tuple[str, ...] = (), delay: float | None = None) -> None:
        self.control.seed(
            seeds.RoleAssignment(
                object_id=self.object_id,
                scope=scope or seeds.subscription_scope(self.subscription),
                actions=actions,
                data_actions=data,
                delay=delay,
            )
        )

    def allow_vault(self, *powers: str) -> None:
        self.allow(scope=self.vault_scope, data=tuple(f"Microsoft.KeyVault/vaults/secrets/{p}/action" for p in powers))

    def add_cache(self, name: str = "", **more: Any) -> None:
        self.control.seed(seeds.Cache(subscription=self.subscription, group=self.group, name=name or self.name, **more))

    def requests(self, path: str = "", service: str = "arm") -> int:
        return len(self.control.log.requests(self.mark, service=service, path=path))


@pytest.fixture
async def site(simulator: Control, cloud: Cloud, key: rsa.RSAPrivateKey) -> AsyncIterator[Site]:
    made: list[Site] = []
    client_id, object_id = str(uuid.uuid4()), str(uuid.uuid4())
    identity = NamespaceIdentity("shop", "orders", f"uid-{object_id[:8]}", client_id, TENANT)

    async def request_token(wanted: NamespaceIdentity) -> SecretStr:
        now = int(time.time())
        subject = f"system:serviceaccount:{wanted.namespace}:{wanted.service_account}"
        claims = {"iss": ISSUER, "sub": subject, "aud": [AUDIENCE], "exp": now + 3600, "nbf": now, **made[0].claims}
        return SecretStr(jwt.encode(claims, key, algorithm="RS256"))

    clock = Clock()
    transport = Transport(
        cloud,
        RateLimits(clock),
        tls=ssl.create_default_context(cafile=simulator.endpoints.ca_file),
        resolver=ToLoopback(),
        timeouts=Timeouts(connect=5, read=1, total=20),
    )
    credentials = Credentials(cloud, transport, request_token)
    caches = Caches(transport, credentials)
    async with transport:
        one = Site(
            simulator,
            transport,
            credentials,
            caches,
            Inventory(caches, clock),
            Vaults(transport, credentials, clock=clock),
            clock,
            identity,
            object_id,
            simulator.log.position(),
        )
        made.append(one)
        simulator.seed(
            seeds.App(
                tenant=TENANT,
                client_id=client_id,
                object_id=object_id,
                federations=(seeds.Federation(issuer=ISSUER, subject="system:serviceaccount:shop:orders"),),
            ),
            seeds.Subscription(id=one.subscription, tenant=TENANT),
            seeds.Group(subscription=one.subscription, name=one.group),
            seeds.Vault(name=one.name, tenant=TENANT, subscription=one.subscription, group=one.group),
        )
        before = simulator.settings.get().model_dump()
        yield one
        simulator.faults.clear()
        simulator.settings.change(**before)


@pytest.fixture
def clusters(site: Site) -> ManagedCaches:
    """The client of Managed Redis, which knows no region's versions yet."""
    return ManagedCaches(ResourceManager(site.transport, site.credentials))


@pytest.fixture
def ca_file(simulator: Control) -> Path:
    return simulator.endpoints.ca_file
