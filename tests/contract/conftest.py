"""The contract suite: Microsoft's own SDKs, unmodified, against the simulator or against a real scratch subscription.

By default everything runs against the simulator; no control plane is needed: an RSA key made here acts as the
cluster's issuer. The tests in `test_conformance.py` are also marked `azure`: `make azure-conformance` runs them against
Azure itself if these are set, and skips them otherwise:

- AZURE_CONFORMANCE_SUBSCRIPTION, AZURE_CONFORMANCE_GROUP: a scratch group that holds nothing else
- AZURE_CONFORMANCE_CACHE: a Standard cache in it, made by hand (new ones can no longer be created in new tenants)
- AZURE_CONFORMANCE_VAULT_URL: a vault with role-based access control
- AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET: a service principal with the roles Redis Cache Contributor on
  the group and Key Vault Secrets Officer on the vault
"""

import asyncio
import datetime
import os
import ssl
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
import pytest_asyncio
from aiohttp.abc import AbstractResolver, ResolveResult
from azure.core.pipeline.transport import AioHttpTransport
from azure.identity.aio import ClientAssertionCredential
from azure.keyvault.secrets.aio import SecretClient
from azure.mgmt.redis.aio import RedisManagementClient
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.azure.control.client import Control
from sandbox.azure.seeds import seeds
from sandbox.azure.simulator import AzureSimulator
from sandbox.names import HostsFile

TENANT = "7d2c5f5e-0000-4000-8000-000000000001"
OTHER_TENANT = "7d2c5f5e-0000-4000-8000-000000000002"
CLIENT = "7d2c5f5e-0000-4000-8000-000000000011"
OBJECT = "7d2c5f5e-0000-4000-8000-000000000012"
SUBSCRIPTION = "7d2c5f5e-0000-4000-8000-000000000021"
GROUP = "shop"
VAULT = "shop"
ISSUER = "https://issuer.contract.test"
SUBJECT = "system:serviceaccount:shop:orders"
SECRET = "a client secret of the contract suite"


class Issuer:
    """An RSA key that acts as the cluster's service-account issuer."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def public(self) -> str:
        return (
            self._key.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )

    def token(self, *, seconds: int = 600, **claims: Any) -> str:
        now = datetime.datetime.now(datetime.UTC)
        body = {
            "iss": ISSUER,
            "sub": SUBJECT,
            "aud": ["api://AzureADTokenExchange"],
            "iat": now,
            "nbf": now,
            "exp": now + datetime.timedelta(seconds=seconds),
            "jti": str(uuid.uuid4()),
        }
        return jwt.encode({**body, **claims}, self._key, algorithm="RS256")


class HostsResolver(AbstractResolver):
    """Names by the simulator's hosts file: what its mount namespace does for other processes."""

    def __init__(self, hosts: Path) -> None:
        self._hosts = HostsFile(hosts)

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        address = self._hosts.addresses().get(host)
        if address is None:
            raise OSError(f"the hosts file has no {host}")
        return [ResolveResult(hostname=host, host=address, port=port, family=2, proto=0, flags=0)]

    async def close(self) -> None:
        return


@dataclass
class Sdk:
    """The official clients, made as the operator makes them: one session, one transport, a custom cloud."""

    control: Control
    issuer: Issuer
    session: aiohttp.ClientSession
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def transport(self) -> AioHttpTransport:
        return AioHttpTransport(session=self.session, session_owner=False)

    def credential(self, *, client: str = CLIENT, tenant: str = TENANT, **claims: Any) -> ClientAssertionCredential:
        return ClientAssertionCredential(
            tenant,
            client,
            lambda: self.issuer.token(**claims),
            authority=self.control.endpoints.authority,
            transport=self.transport,
            additionally_allowed_tenants=["*"],
            retry_total=0,
        )

    def redis(self, subscription: str = SUBSCRIPTION, credential: Any = None, **kwargs: Any) -> Any:
        """A RedisManagementClient; Any, because its models type their read-only fields as None."""
        options: dict[str, Any] = {"retry_total": 0, "polling_interval": 0.02, **kwargs}
        return RedisManagementClient(
            credential or self.credential(),
            subscription,
            base_url=self.control.endpoints.management,
            credential_scopes=[self.control.endpoints.management_scope],
            transport=self.transport,
            **options,
        )

    @staticmethod
    def headers(error: Any) -> Any:
        """The headers of the answer that an SDK raised an error for."""
        return error.response.headers

    def vault(self, name: str = VAULT, credential: Any = None, **kwargs: Any) -> SecretClient:
        options: dict[str, Any] = {"retry_total": 0, **kwargs}
        return SecretClient(
            self.control.endpoints.vault_url(name), credential or self.credential(), transport=self.transport, **options
        )


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureSimulator]:
    with AzureSimulator(tmp_path_factory.mktemp("azure")) as running:
        yield running


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def control(simulator: AzureSimulator, issuer: Issuer) -> Control:
    """A world with one tenant, one identity that may do everything in one group, and a vault; no cache yet."""
    control = simulator.control
    control.reset()
    group = seeds.group_scope(SUBSCRIPTION, GROUP)
    control.seed(
        seeds.Tenant(id=TENANT, domain="shop.test"),
        seeds.Tenant(id=OTHER_TENANT),
        seeds.Issuer(issuer=ISSUER, keys=(issuer.public,)),
        seeds.App(
            tenant=TENANT,
            client_id=CLIENT,
            object_id=OBJECT,
            federations=(seeds.Federation(issuer=ISSUER, subject=SUBJECT),),
            secret=SECRET,
        ),
        seeds.Subscription(id=SUBSCRIPTION, tenant=TENANT),
        seeds.Group(subscription=SUBSCRIPTION, name=GROUP),
        seeds.Vault(name=VAULT, tenant=TENANT, subscription=SUBSCRIPTION, group=GROUP),
        seeds.RoleAssignment(
            object_id=OBJECT, scope=seeds.subscription_scope(SUBSCRIPTION), actions=("*",), data_actions=("*",)
        ),
        seeds.RoleAssignment(object_id=OBJECT, scope=group, actions=("*",), data_actions=("*",)),
    )
    return control


def cache_seed(name: str = "orders", **changes: Any) -> seeds.Cache:
    return seeds.Cache(subscription=SUBSCRIPTION, group=GROUP, name=name, **changes)


@pytest_asyncio.fixture
async def sdk(control: Control, issuer: Issuer) -> AsyncIterator[Sdk]:
    context = ssl.create_default_context(cafile=str(control.endpoints.ca_file))
    connector = aiohttp.TCPConnector(ssl=context, resolver=HostsResolver(control.endpoints.hosts_file))
    async with aiohttp.ClientSession(
        connector=connector, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        yield Sdk(control, issuer, session)
        await asyncio.sleep(0)


def real_settings() -> dict[str, str] | None:
    """Return the settings that a run against a real subscription needs, or None."""
    names = ("SUBSCRIPTION", "GROUP", "CACHE", "VAULT_URL")
    found = {name: os.environ.get(f"AZURE_CONFORMANCE_{name}", "") for name in names}
    return found if all(found.values()) else None
