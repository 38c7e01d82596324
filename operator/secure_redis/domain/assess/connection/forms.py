"""The entries that the operator can publish, and the formats that group them.

The entries that each client reads: docs/internals/kubernetes-facts.md#redis-clients.
"""

from collections.abc import Mapping
from typing import Final

from secure_redis.api.spec.spec import Format

CA_KEY: Final = "ca.crt"
CA_TEMPLATE: Final = "{ca.crt}"  # the authority in PEM, where clients need one
POLICY_KEY: Final = "cluster-policy"
POLICY_TEMPLATE: Final = "{cluster-policy}"  # where the service has one
SERVER_NAME_KEY: Final = "server-name"
SERVER_NAME_TEMPLATE: Final = "{server-name}"  # where nodes announce themselves by address
# Redis gives a password without a user name to this user, and clients that send an empty name get WRONGPASS.
DEFAULT_USER: Final = "default"

_URI: Final = "rediss://{username}:{password}@{host}:{port}/{database}"

# Each entry with its template (`templates`). `ssl` is in no format, because it stops Spring Boot 3.1 and later.
ENTRIES: Final[Mapping[str, str]] = {
    "type": "redis",
    "provider": "azure",
    "host": "{host}",
    "port": "{port}",
    "username": "{username}",
    "password": "{password}",
    "database": "{database}",
    "uri": _URI,
    "url": _URI,
    "spring.data.redis.url": _URI,
    "spring.data.redis.database": "{database}",
    # redis-py 5, which Celery accepts, verifies the host name only with the second option.
    "celery": f"{_URI}?ssl_cert_reqs=required&ssl_check_hostname=true",
    "stackexchange": "{host}:{port},password={password},ssl=True,abortConnect=False,defaultDatabase={database}",
    "bull": f"{_URI}?tls=true",
    "address": "{host}:{port}",
    "ssl": "true",
    POLICY_KEY: POLICY_TEMPLATE,
    SERVER_NAME_KEY: SERVER_NAME_TEMPLATE,
    CA_KEY: CA_TEMPLATE,
}

# In every Secret, whatever the formats.
ALWAYS: Final = ("type", "provider", POLICY_KEY, SERVER_NAME_KEY, CA_KEY)
FORMATS: Final[Mapping[Format, tuple[str, ...]]] = {
    # Without `url`, spring-cloud-bindings would connect to `host` and `port` without TLS.
    Format.STANDARD: ("host", "port", "username", "password", "database", "uri", "url"),
    Format.SPRING: ("spring.data.redis.url", "spring.data.redis.database"),
    Format.CELERY: ("celery",),
    Format.STACK_EXCHANGE: ("stackexchange",),
    Format.BULL: ("bull",),
    Format.ADDRESS: ("address",),
}

# The entries that `workloads[].env[].key` can name, and that `connection.keys` and `connection.template` cannot
# redefine.
RESERVED: Final = tuple(ENTRIES)
# The entries that `connection.keys` can repeat.
REPEATABLE: Final = tuple(
    name for name in RESERVED if name not in {"type", "provider"} and not name.startswith("spring.")
)
