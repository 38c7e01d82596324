"""Caches, sessions and channels of web frameworks."""

import asyncio

from binding import MARKER, entry


def _django(backend: str) -> None:
    import django
    from django.conf import settings

    settings.configure(CACHES={"default": {"BACKEND": backend, "LOCATION": entry("uri")}})
    django.setup()
    from django.core.cache import cache

    cache.set("orders", MARKER)
    assert cache.get("orders") == MARKER


def django_cache() -> None:
    _django("django.core.cache.backends.redis.RedisCache")


def django_redis() -> None:
    _django("django_redis.cache.RedisCache")


def channels_redis() -> None:
    from channels_redis.core import RedisChannelLayer

    async def use() -> None:
        layer = RedisChannelLayer(hosts=[entry("uri")])
        await layer.send("orders", {"type": "orders.new", "marker": MARKER})
        await layer.send("kept", {"type": "orders.new"})
        assert (await layer.receive("orders"))["marker"] == MARKER
        await layer.close_pools()

    asyncio.run(use())


def flask_caching() -> None:
    from flask import Flask
    from flask_caching import Cache

    app = Flask("orders")
    cache = Cache(app, config={"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": entry("uri")})
    with app.app_context():
        cache.set("orders", MARKER)
        assert cache.get("orders") == MARKER


def flask_session() -> None:
    import redis
    from flask import Flask, session
    from flask_session import Session

    app = Flask("orders")
    app.config.update(SESSION_TYPE="redis", SESSION_REDIS=redis.from_url(entry("uri")))
    Session(app)

    @app.get("/set")
    def remember() -> str:
        session["orders"] = MARKER
        return ""

    @app.get("/get")
    def recall() -> str:
        return str(session["orders"])

    app.testing = True
    with app.test_client() as browser:
        browser.get("/set")
        assert browser.get("/get").text == MARKER


def flask_limiter() -> None:
    from flask import Flask
    from flask_limiter import Limiter
    from flask_limiter.util import get_remote_address

    app = Flask("orders")
    app.testing = True
    limiter = Limiter(get_remote_address, app=app, storage_uri=entry("uri"))

    @app.get("/")
    @limiter.limit("1/hour")
    def page() -> str:
        return MARKER

    with app.test_client() as browser:
        assert browser.get("/").text == MARKER
        assert browser.get("/").status_code == 429
