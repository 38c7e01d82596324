"""Helpers of the tests that write Managed Redis: raw requests, bodies, and seeds."""

from typing import Any

from azure.mgmt.redisenterprise.aio import RedisEnterpriseManagementClient

from sandbox.azure.seeds.managed_redis import ManagedCluster, managed_scope
from tests.contract.conftest import GROUP, SUBSCRIPTION, Sdk

NAME = "orders"
SCOPE = managed_scope(SUBSCRIPTION, GROUP, NAME)
CLUSTER = f"/providers/Microsoft.Cache/redisEnterprise/{NAME}"
DATABASE = f"{CLUSTER}/databases/default"
STABLE, NEWEST = "2025-07-01", "2026-09-01"
NEVER = 600.0  # seconds: an operation that ends only when the clock is put forward
_DURATIONS = (
    "create_seconds",
    "update_seconds",
    "scale_seconds",
    "delete_seconds",
    "managed_database_seconds",
    "managed_regenerate_seconds",
)
SLOW = dict.fromkeys(_DURATIONS, NEVER)
AT_ONCE = dict.fromkeys((*_DURATIONS, "managed_state_lag_seconds"), 0.0)


def client_of(sdk: Sdk, **kwargs: Any) -> Any:
    return RedisEnterpriseManagementClient(
        sdk.credential(),
        SUBSCRIPTION,
        sdk.control.endpoints.management,
        credential_scopes=[sdk.control.endpoints.management_scope],
        transport=sdk.transport,
        retry_total=0,
        polling_interval=0.02,
        **kwargs,
    )


async def send(
    sdk: Sdk, method: str, path: str, body: Any = None, *, expect: int, version: str = STABLE
) -> tuple[dict[str, str], Any]:
    """Send a raw request, for what the SDK's models do not show. Returns the headers and the body."""
    token = await sdk.credential().get_token(sdk.control.endpoints.management_scope)
    base = f"{sdk.control.endpoints.management}/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    url = path if path.startswith("https://") else f"{base}{path}?api-version={version}"
    async with sdk.session.request(
        method, url, json=body, headers={"Authorization": f"Bearer {token.token}"}
    ) as answer:
        text = await answer.read()
        assert answer.status == expect, text
        return dict(answer.headers), (await answer.json()) if text else None


async def refused(sdk: Sdk, method: str, path: str, body: Any = None, *, expect: int = 400, **more: Any) -> str:
    """The code and message of a refusal."""
    _, answer = await send(sdk, method, path, body, expect=expect, **more)
    return f"{answer['error']['code']}: {answer['error']['message']}"


def creation(sku: str = "Balanced_B5", **more: Any) -> dict[str, Any]:
    properties = {"publicNetworkAccess": "Disabled", **more.pop("properties", {})}
    return {"location": "westeurope", "sku": {"name": sku}, "properties": properties, **more}


def properties(**given: Any) -> dict[str, Any]:
    return {"properties": given}


def seed(name: str = NAME, **changes: Any) -> ManagedCluster:
    return ManagedCluster(subscription=SUBSCRIPTION, group=GROUP, name=name, **changes)
