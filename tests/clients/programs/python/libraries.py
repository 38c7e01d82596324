"""Clients that send commands."""

import asyncio

from binding import MARKER, ca_file, entry


def redis_py() -> None:
    import redis

    client = redis.from_url(entry("uri"), decode_responses=True)
    client.set("orders", MARKER)
    assert client.get("orders") == MARKER


def redis_py_parts() -> None:
    import redis

    client = redis.Redis(
        host=entry("host"),
        port=int(entry("port")),
        password=entry("password"),
        db=int(entry("database")),
        ssl=True,
        ssl_ca_certs=ca_file(),
        decode_responses=True,
    )
    client.set("orders", MARKER)
    assert client.get("orders") == MARKER


def redis_asyncio() -> None:
    import redis.asyncio

    async def use() -> None:
        async with redis.asyncio.from_url(entry("uri"), decode_responses=True) as client:
            await client.set("orders", MARKER)
            assert await client.get("orders") == MARKER

    asyncio.run(use())


def valkey_py() -> None:
    import valkey

    client = valkey.from_url(entry("VALKEY_URL"), decode_responses=True)
    client.set("orders", MARKER)
    assert client.get("orders") == MARKER


def coredis() -> None:
    from coredis import Redis

    async def use() -> None:
        client = Redis(
            host=entry("host"),
            port=int(entry("port")),
            password=entry("password"),
            db=int(entry("database")),
            ssl=True,
            ssl_check_hostname=True,
            decode_responses=True,
        )
        async with client:
            await client.set("orders", MARKER)
            assert await client.get("orders") == MARKER

    asyncio.run(use())


def coredis_uri() -> None:
    from coredis import Redis

    async def use() -> None:
        async with Redis.from_url(entry("uri")) as client:
            await client.set("orders", MARKER)

    asyncio.run(use())


def limits() -> None:
    from limits import RateLimitItemPerHour
    from limits.storage import storage_from_string
    from limits.strategies import FixedWindowRateLimiter

    limiter = FixedWindowRateLimiter(storage_from_string(entry("uri")))
    once = RateLimitItemPerHour(1)
    assert limiter.hit(once, MARKER)
    assert not limiter.hit(once, MARKER)


def dogpile() -> None:
    from dogpile.cache import make_region

    region = make_region().configure("dogpile.cache.redis", arguments={"url": entry("uri")})
    region.set("orders", MARKER)
    assert region.get("orders") == MARKER


def cachelib() -> None:
    from cachelib.redis import RedisCache

    cache = RedisCache(
        host=entry("host"), port=int(entry("port")), password=entry("password"), db=int(entry("database")), ssl=True
    )
    cache.set("orders", MARKER)
    assert cache.get("orders") == MARKER


def aiocache() -> None:
    from aiocache import RedisCache

    async def use() -> None:
        async with RedisCache(
            endpoint=entry("host"),
            port=int(entry("port")),
            password=entry("password"),
            db=int(entry("database")),
            ssl=True,
        ) as cache:
            await cache.set("orders", MARKER)
            assert await cache.get("orders") == MARKER

    asyncio.run(use())
