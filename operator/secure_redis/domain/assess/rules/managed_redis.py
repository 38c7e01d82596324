"""Checks of a Microsoft.Cache/redisEnterprise cluster. They do not apply to caches of other services."""

from collections.abc import Callable

from secure_redis.domain.assess.rules.rule import READ_DATABASE, Check, Result, Verdict, on_service, unread
from secure_redis.domain.observe.managed_redis import ManagedDatabase, ManagedRedis

ONLY_MANAGED = Verdict(Result.NOT_APPLICABLE, "only a Microsoft.Cache/redisEnterprise has it")


def on_cluster(assess: Callable[[ManagedRedis], Verdict]) -> Check:
    """Build a check of the cluster."""
    return on_service(ManagedRedis, ONLY_MANAGED, lambda _resource, _observed, cluster: assess(cluster))


def on_database(assess: Callable[[ManagedDatabase], Verdict]) -> Check:
    """Build a check of a cluster's database; not applicable while it has none."""

    def check(cluster: ManagedRedis) -> Verdict:
        found = cluster.database
        if found is None:
            return Verdict(Result.NOT_APPLICABLE, "the cluster has no database yet")
        return assess(found) if isinstance(found, ManagedDatabase) else unread("the database", found, READ_DATABASE)

    return on_cluster(check)
