"""Recognise clients that open a connection without verified TLS although they get an entry of the Secret. Pure.

The names of variables are the only evidence: the operator reads neither images nor programs.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.connection.forms import ENTRIES
from secure_redis.domain.observe.usage import ClearText
from secure_redis.domain.observe.workloads import ContainerFacts

_TLS_URI: Final = re.compile(r"(rediss|valkeys)://")
# Which variable shows a client, the option that its URI needs, and what the client does without it.
_CLIENTS: Final = (
    # Bull takes host, port and password from a rediss:// URI and no TLS: https://github.com/OptimalBits/bull/issues/2325
    # (run here with 4.16.5). BullMQ hands the URI to ioredis, which opens it with TLS.
    (re.compile(r"(^|_)BULL(_|$)", re.IGNORECASE), "tls=true", "which Bull opens without TLS"),
    # kombu takes an absent ssl_cert_reqs for CERT_NONE (run in tests/clients).
    (
        re.compile(r"(^|_)CELERY(_|$)", re.IGNORECASE),
        "ssl_cert_reqs=",
        "whose server Celery does not verify by default",
    ),
)
# n8n uses Bull, and TLS only if the second variable is true:
# https://docs.n8n.io/hosting/configuration/environment-variables/queue-mode/
_SWITCHES: Final[Mapping[str, str]] = {"QUEUE_BULL_REDIS_HOST": "QUEUE_BULL_REDIS_TLS"}


def plain_clients(
    resource: SecureRedisCache, container: ContainerFacts, values: Mapping[str, ClearText], hosts: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Yield variable and source of each setting by which a known client connects without verified TLS.

    `values`: those of the container's variables that are not secret, by name.
    """
    taken = {env.name: env.key for env in container.env if env.secret == resource.secret_name and env.key is not None}
    of_secrets = {env.name for env in container.env if env.secret is not None}
    for variable, entry in taken.items():
        template = _template(resource, entry)
        for shows, option, what in _CLIENTS:
            if shows.search(variable) and _TLS_URI.match(template) and option not in template:
                yield variable, f"entry {entry!r} of the Secret, {what}"
    for variable, switch in _SWITCHES.items():
        named = (
            values[variable].host in hosts
            if variable in values
            else _template(resource, taken.get(variable)) == "{host}"
        )
        on = switch in of_secrets or (switch in values and values[switch].on)
        if named and not on:
            yield variable, f"a container without {switch}=true"


def _template(resource: SecureRedisCache, entry: str | None) -> str:
    """Return the template of an entry of the Secret; empty for an unknown one."""
    connection = resource.spec.connection
    name = connection.keys.get(entry or "", entry or "")
    return ENTRIES.get(name) or connection.template.get(name, "")
