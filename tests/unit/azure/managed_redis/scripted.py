"""The calls of Managed Redis' client against scripted answers, and strategies for what Azure could answer."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from secure_redis.api.azure_ids import CacheID
from secure_redis.azure.core.failures import Failure
from secure_redis.azure.managed_redis.client import ManagedCaches
from secure_redis.azure.managed_redis.versions import VERSIONS
from secure_redis.domain.observe.keys import Slot
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.write_failure import WriteFailure
from tests.unit.azure.conftest import GROUP, IDENTITY, SUBSCRIPTION, Answer, World, as_json, says
from tests.unit.azure.managed_redis import test_convert as recorded

NEWEST, OLDER = VERSIONS
PROVIDER = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Cache/redisEnterprise"
CLUSTER, OTHER = CacheID.parse(f"{PROVIDER}/orders"), CacheID.parse(f"{PROVIDER}/carts")
PATH, DATABASE = CLUSTER.text, f"{CLUSTER.text}/databases/default"
KEYS = {"primaryKey": "canary-key-one", "secondaryKey": "canary-key-two"}
CREATION = {"location": "westus2", "sku": {"name": "Balanced_B0"}, "properties": {"publicNetworkAccess": "Disabled"}}
Call = Callable[[ManagedCaches], Awaitable[Any]]
NAMES = st.text(min_size=1, max_size=12)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
ONE_WORLD = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def refusal(code: str, status: int, message: str = "no") -> Answer:
    return says({"error": {"code": code, "message": message}}, status)


def served(version: str, then: Answer) -> Answer:
    """The answer of a region that serves only this version."""

    async def answer(request: web.Request) -> web.StreamResponse:
        asked = request.query["api-version"]
        return await (then if asked == version else refusal("NoRegisteredProviderFound", 400, asked))(request)

    return answer


def raw(body: str, content_type: str, status: int = 200) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body.encode(), status=status, content_type=content_type)

    return answer


def asked(world: World, method: str, path: str) -> list[str]:
    """The versions of the requests to exactly this address, in order."""
    calls = [call for call in world.script.calls(method) if call.path.lower() == path.lower()]
    return [call.query.removeprefix("api-version=") for call in calls]


def bodies(world: World, method: str) -> list[Any]:
    return [as_json(call.body) for call in world.script.calls(method, "redisEnterprise")]


# Each call with the request that it makes, and a good answer.
CALLS: dict[str, tuple[str, str, Answer, Call]] = {
    "read": ("GET", PATH, says(recorded.CLUSTER), lambda c: c.read(IDENTITY, CLUSTER)),
    "database": ("GET", DATABASE, says(recorded.DATABASE), lambda c: c.database(IDENTITY, CLUSTER)),
    "list_keys": ("POST", f"{DATABASE}/listKeys", says(KEYS), lambda c: c.list_keys(IDENTITY, CLUSTER)),
    "scaling_options": (
        "POST",
        f"{PATH}/listSkusForScaling",
        says({"skus": [{"name": "Balanced_B1", "sizeInGB": 1}]}),
        lambda c: c.scaling_options(IDENTITY, CLUSTER),
    ),
    "create": ("PUT", PATH, says(recorded.CLUSTER, 201), lambda c: c.create(IDENTITY, CLUSTER, CREATION)),
    "update": ("PATCH", PATH, raw("", "text/plain", 202), lambda c: c.update(IDENTITY, CLUSTER, {"tags": {}})),
    "delete": ("DELETE", PATH, raw("", "text/plain", 202), lambda c: c.delete(IDENTITY, CLUSTER)),
    "regenerate_key": (
        "POST",
        f"{DATABASE}/regenerateKey",
        raw("", "text/plain", 202),
        lambda c: c.regenerate_key(IDENTITY, CLUSTER, Slot.PRIMARY),
    ),
}
READS = ("read", "database", "list_keys", "scaling_options")
WRITES = tuple(name for name in CALLS if name not in READS)


def failed(outcome: object) -> bool:
    return isinstance(outcome, Unknown | WriteFailure | Failure)
