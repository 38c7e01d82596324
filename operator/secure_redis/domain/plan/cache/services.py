"""Choose the planning module of the resource's service."""

from collections.abc import Mapping
from typing import Final, Protocol

from secure_redis.api.azure_ids import Service
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.cache import managed_redis, redis
from secure_redis.domain.plan.types import Plan, Settings


class ServicePlan(Protocol):
    """The part of the plan that differs between services."""

    def unsupported(self, resource: SecureRedisCache) -> Unknown | None:
        """Explain why a resource declares more than this service supports; None: it does not."""

    def provision(
        self, resource: SecureRedisCache, observed: Observation, assessed: Assessment, settings: Settings
    ) -> Plan:
        """Plan the one write to Azure of this pass, if any."""


SERVICES: Final[Mapping[Service, ServicePlan]] = {
    Service.REDIS: redis,
    Service.MANAGED_REDIS: managed_redis,
}
