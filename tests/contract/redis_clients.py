"""`python -m tests.contract.redis_clients`: one of redis-py's clients, in a process that resolves the sandbox's names.

It reads what to do from standard input, and writes for each port and command the answer, or the error with its causes.
"""

import json
import sys
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import MovedError, RedisClusterException
from redis.retry import Retry


def _client(given: dict[str, Any], port: int) -> Any:
    host = given["host"]
    options: dict[str, Any] = {
        "host": host,
        "port": port,
        "password": given["key"],
        "decode_responses": True,
        "retry": Retry(NoBackoff(), 0),
        "ssl": True,
        "ssl_ca_certs": given["ca"],
        "ssl_check_hostname": given["check"],
    }
    if not given["cluster"]:
        return redis.Redis(**options)
    if given["remap"]:
        # The nodes are announced by address: the certificate's name leads to the same ports.
        options["address_remap"] = lambda address: (host, address[1])
    return RedisCluster(**options)


def _text(error: BaseException) -> str:
    if isinstance(error, MovedError):
        return f"MOVED {error.host}:{error.port}"
    causes = [error]
    while following := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(following)
    return " < ".join(f"{type(one).__name__}: {one}" for one in causes)


def _answers(given: dict[str, Any], port: int) -> list[Any]:
    try:
        client = _client(given, port)
    except (redis.RedisError, RedisClusterException) as error:
        return [_text(error)]
    answers: list[Any] = []
    for command in given["commands"]:
        try:
            answers.append(client.execute_command(*command))
        except (redis.RedisError, RedisClusterException) as error:
            answers.append(_text(error))
    if given["cluster"]:
        answers.append(sorted(node.name for node in client.get_nodes()))
    return answers


if __name__ == "__main__":
    given = json.load(sys.stdin)
    json.dump([answer for port in given["ports"] for answer in _answers(given, port)], sys.stdout)
