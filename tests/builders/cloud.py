"""The cloud of a server on loopback that speaks as Azure, under made-up host names."""

from secure_redis.azure.core.clouds import Cloud


def loopback_cloud(name: str, port: int) -> Cloud:
    """Return a cloud whose services all have this port."""
    return Cloud(
        name=name,
        resource_manager=f"https://arm.azure.test:{port}",
        resource_manager_scope=f"https://arm.azure.test:{port}/.default",
        authority=f"https://login.azure.test:{port}",
        vault_suffixes=(f"vault.azure.test:{port}",),
        redis_suffixes=("redis.azure.test",),
    )
