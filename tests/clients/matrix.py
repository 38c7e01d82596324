"""The clients that `make clients` runs, each with the entries of the Secret that docs/clients.md names for it."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

PROGRAMS = Path(__file__).parent / "programs"


class Ecosystem(enum.Enum):
    """Where a client comes from, and what runs it."""

    REDIS = "Redis"
    PYTHON = "PyPI"
    PYTHON_ARQ = "PyPI (arq)"  # arq allows no current redis-py, so it has an environment of its own
    NODE = "npm"
    GO = "Go module proxy"
    JAVA = "Maven"
    SPRING = "Maven (Spring Boot)"


@dataclass(frozen=True)
class Client:
    """One way to connect.

    `name`: as in docs/clients.md. `program`: the function that does it. `package`: the package that has the version.
    `entries`: what it reads, empty where it takes the mounted directory as a whole. `spec`: what the resource must
    declare, empty for the default.
    `checks_host`: whether the client verifies that the certificate is the host's own.
    """

    name: str
    ecosystem: Ecosystem
    program: str
    package: str
    entries: tuple[str, ...] = ("uri",)
    spec: Mapping[str, Any] = field(default_factory=dict)
    checks_host: bool = True


PARTS = ("host", "port", "password", "database")
CELERY = {"connection": {"formats": ["Standard", "Celery"]}}
BULL = {"connection": {"formats": ["Standard", "Bull"]}}
VALKEY_URL = "rediss://{username}:{password}@{host}:{port}/{database}?ssl_check_hostname=true"
VALKEY = {"connection": {"template": {"VALKEY_URL": VALKEY_URL}}}
SPRING = {"connection": {"formats": ["Spring"]}}
SSL = {"workloads": [{"id": "web", "kind": "Deployment", "name": "web", "env": [{"name": "REDIS_TLS", "key": "ssl"}]}]}


def _redis(name: str, program: str, **more: Any) -> Client:
    return Client(name, Ecosystem.REDIS, program, "redis-cli", checks_host=False, **more)


def _python(name: str, program: str, package: str, **more: Any) -> Client:
    return Client(name, Ecosystem.PYTHON, program, package, **more)


def _node(name: str, program: str, package: str, **more: Any) -> Client:
    return Client(name, Ecosystem.NODE, program, package, **more)


def _go(name: str, program: str, package: str, **more: Any) -> Client:
    return Client(name, Ecosystem.GO, program, package, **more)


def _java(name: str, program: str, package: str, **more: Any) -> Client:
    return Client(name, Ecosystem.JAVA, program, package, **more)


def _spring(name: str, program: str, **more: Any) -> Client:
    return Client(name, Ecosystem.SPRING, program, "spring-boot", entries=(), **more)


CLIENTS = (
    _redis("redis-cli", "parts", entries=PARTS),
    _redis("redis-cli, by URI", "uri"),
    _python("redis-py", "redis_py", "redis"),
    _python("redis-py, by parts", "redis_py_parts", "redis", entries=PARTS),
    _python("redis.asyncio", "redis_asyncio", "redis"),
    _python("valkey-py", "valkey_py", "valkey", entries=("VALKEY_URL",), spec=VALKEY),
    _python("coredis", "coredis", "coredis", entries=PARTS),
    _python("limits", "limits", "limits"),
    _python("dogpile.cache", "dogpile", "dogpile.cache"),
    _python("cachelib", "cachelib", "cachelib", entries=PARTS),
    _python("aiocache", "aiocache", "aiocache", entries=PARTS),
    _python("Django cache", "django_cache", "django"),
    _python("django-redis", "django_redis", "django-redis"),
    _python("channels_redis", "channels_redis", "channels-redis"),
    _python("Flask-Caching", "flask_caching", "flask-caching"),
    _python("Flask-Session", "flask_session", "flask-session"),
    _python("Flask-Limiter", "flask_limiter", "flask-limiter"),
    _python("Celery, broker", "celery_broker", "celery", entries=("celery",), spec=CELERY),
    _python("Celery, result backend", "celery_result_backend", "celery", entries=("celery",), spec=CELERY),
    _python("kombu", "kombu", "kombu", entries=("celery",), spec=CELERY),
    _python("RQ", "rq", "rq"),
    _python("Dramatiq", "dramatiq", "dramatiq"),
    _python("Huey", "huey", "huey"),
    _python("SAQ", "saq", "saq"),
    _python("taskiq-redis", "taskiq", "taskiq-redis"),
    Client("arq", Ecosystem.PYTHON_ARQ, "arq", "arq", PARTS),
    _node("ioredis", "ioredis", "ioredis"),
    _node("ioredis, by parts", "ioredis_parts", "ioredis", entries=PARTS),
    _node("iovalkey", "iovalkey", "iovalkey"),
    _node("node-redis", "node_redis", "redis"),
    _node("connect-redis", "connect_redis", "connect-redis"),
    _node("rate-limit-redis", "rate_limit_redis", "rate-limit-redis"),
    _node("rate-limiter-flexible", "rate_limiter_flexible", "rate-limiter-flexible"),
    _node("Keyv", "keyv", "@keyv/redis"),
    _node("catbox-redis", "catbox", "@hapi/catbox-redis", entries=PARTS),
    _node("BullMQ", "bullmq", "bullmq"),
    _node("Bull", "bull", "bull", entries=("bull",), spec=BULL),
    _node("Bull, by parts", "bull_parts", "bull", entries=PARTS),
    _node("Bee-Queue", "bee_queue", "bee-queue", entries=PARTS),
    _node("node-resque", "node_resque", "node-resque"),
    _go("go-redis", "go_redis", "github.com/redis/go-redis/v9"),
    _go("go-redis v8", "go_redis_v8", "github.com/go-redis/redis/v8"),
    _go("redsync", "redsync", "github.com/go-redsync/redsync/v4"),
    _go("redigo", "redigo", "github.com/gomodule/redigo"),
    _go("rueidis", "rueidis", "github.com/redis/rueidis"),
    _go("valkey-go", "valkey_go", "github.com/valkey-io/valkey-go"),
    _go("radix", "radix", "github.com/mediocregopher/radix/v4", entries=PARTS),
    _go("asynq", "asynq", "github.com/hibiken/asynq"),
    _java("Jedis", "jedis", "jedis"),
    _java("Jedis, by parts", "jedis_parts", "jedis", entries=PARTS),
    _java("Lettuce", "lettuce", "lettuce-core"),
    _java("Lettuce, by parts", "lettuce_parts", "lettuce-core", entries=PARTS),
    _java("Redisson", "redisson", "redisson", entries=("uri", "database")),
    _java("Redisson, by parts", "redisson_parts", "redisson", entries=PARTS),
    _spring("Spring Boot, spring-cloud-bindings", "bindings"),
    _spring("Spring Boot, configuration tree", "configtree", spec=SPRING),
)


class Outcome(enum.Enum):
    """The result for a client that takes another entry than docs/clients.md names for it."""

    NO_CONNECTION = "it ends before it connects"
    WRONG_PASSWORD = "Redis refuses the key"
    WRONG_DATABASE = "it uses database 0"
    NO_VERIFICATION = "it accepts a server without the right certificate"
    IN_CLEAR = "it sends the key without TLS"


@dataclass(frozen=True)
class Trap:
    """A mistake that docs/clients.md warns of. `swapped`: entries whose value is taken from another one."""

    client: Client
    outcome: Outcome
    swapped: Mapping[str, str] = field(default_factory=dict)


def _named(name: str) -> Client:
    return next(client for client in CLIENTS if client.name == name)


TRAPS = (
    # The environment of arq has redis-py 5.
    Trap(replace(_named("redis-py"), ecosystem=Ecosystem.PYTHON_ARQ), Outcome.NO_VERIFICATION),
    Trap(replace(_named("coredis"), program="coredis_uri", entries=("uri",)), Outcome.WRONG_PASSWORD),
    Trap(replace(_named("arq"), program="arq_uri", entries=("uri",)), Outcome.WRONG_PASSWORD),
    Trap(_named("valkey-py"), Outcome.NO_VERIFICATION, {"VALKEY_URL": "uri"}),
    Trap(_named("kombu"), Outcome.NO_VERIFICATION, {"celery": "uri"}),
    Trap(_named("Celery, broker"), Outcome.NO_VERIFICATION, {"celery": "uri"}),
    Trap(_named("Celery, result backend"), Outcome.NO_CONNECTION, {"celery": "uri"}),
    Trap(_named("Bull"), Outcome.IN_CLEAR, {"bull": "uri"}),
    Trap(replace(_named("Redisson"), program="redisson_uri", entries=("uri",)), Outcome.WRONG_DATABASE),
    Trap(replace(_named("Spring Boot, spring-cloud-bindings"), spec=SSL), Outcome.NO_CONNECTION),
)
