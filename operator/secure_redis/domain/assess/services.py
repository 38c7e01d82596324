"""The parts of the assessment that differ between services, one file each. The cache's service selects the file."""

from collections.abc import Mapping
from typing import Any, Final, Protocol, TypeVar

from secure_redis.api.azure_ids import Service
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess import managed_redis, redis
from secure_redis.domain.assess.drift import Drift
from secure_redis.domain.assess.ownership import Ownership
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.observation import Observation

C_contra = TypeVar("C_contra", bound=Cache, contravariant=True)


class ServiceAssessment(Protocol[C_contra]):
    """The part of the assessment that differs between services."""

    COMPARED: tuple[str, ...]  # every field that is compared

    def differences(self, cache: C_contra, resource: SecureRedisCache, observed: Observation, /) -> tuple[Drift, ...]:
        """Compare the spec with what was observed, worst class first."""

    def owner(self, cache: C_contra, cluster_uid: str, resource_uid: str, /) -> Ownership | None:
        """Find who owns the cache; None: a cache of this service has no owner."""


# Any: a cache's service and its type go together.
SERVICES: Final[Mapping[Service, ServiceAssessment[Any]]] = {
    Service.REDIS: redis,
    Service.MANAGED_REDIS: managed_redis,
}
COMPARED: Final = tuple(dict.fromkeys(path for service in SERVICES.values() for path in service.COMPARED))
