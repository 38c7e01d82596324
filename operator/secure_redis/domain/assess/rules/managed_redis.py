"""Checks of a Microsoft.Cache/redisEnterprise cluster. They do not apply to caches of other services."""

from collections.abc import Callable

from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.rules.rule import READ_DATABASE, Check, Result, Verdict, on_service, unread
from secure_redis.domain.observe.managed_redis import ManagedDatabase, ManagedRedis
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import NotRead, Unknown

ONLY_MANAGED = Verdict(Result.NOT_APPLICABLE, "only a Microsoft.Cache/redisEnterprise has it")
OWN_DISKS = "Managed Redis persists to disks of its own"
NO_DATABASE = Verdict(Result.NOT_APPLICABLE, "the cluster has no database yet")


def on_cluster(assess: Callable[[ManagedRedis], Verdict]) -> Check:
    """Build a check of the cluster."""
    return on_observed_cluster(lambda _resource, _observed, cluster: assess(cluster))


def on_observed_cluster(assess: Callable[[SecureRedisCache, Observation, ManagedRedis], Verdict]) -> Check:
    """Build a check of the cluster and the rest of the observation."""
    return on_service(ManagedRedis, ONLY_MANAGED, assess)


def on_database(assess: Callable[[ManagedDatabase], Verdict]) -> Check:
    """Build a check of a cluster's database; not applicable while it has none."""
    return on_observed_database(lambda _observed, _cluster, database: assess(database))


def on_observed_database(assess: Callable[[Observation, ManagedRedis, ManagedDatabase], Verdict]) -> Check:
    """Build a check of a cluster's database, its cluster and the rest of the observation."""

    def check(_: SecureRedisCache, observed: Observation, cluster: ManagedRedis) -> Verdict:
        found = cluster.database
        if found is None:
            return NO_DATABASE
        if isinstance(found, Unknown | NotRead):
            return unread("the database", found, READ_DATABASE)
        return assess(observed, cluster, found)

    return on_observed_cluster(check)
