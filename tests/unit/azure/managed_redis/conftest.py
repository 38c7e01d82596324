import pytest

from secure_redis.azure.core.resource_manager import ResourceManager
from secure_redis.azure.managed_redis.client import ManagedCaches
from tests.unit.azure.conftest import World


@pytest.fixture
def clusters(world: World) -> ManagedCaches:
    return ManagedCaches(ResourceManager(world.transport, world.credentials))
