"""Further facts for rules: how workloads connect, copies of the key, and changes of the cache."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final


@dataclass(frozen=True, slots=True)
class ClearText:
    """The hosts that the value of a setting reaches without TLS. The value is not kept: it may contain a key.

    `hosts`: those that it reaches without TLS by itself. `host`: it is nothing but the name of this host; `plain_port`:
    it is the non-TLS port; `off`: it is "no", "off" or the like; `on`: "yes", "on" or the like. Hosts are in lower
    case.
    """

    hosts: tuple[str, ...] = ()
    host: str | None = None
    plain_port: bool = False
    off: bool = False
    on: bool = False


NOTHING: Final = ClearText()


@dataclass(frozen=True, slots=True)
class ConfigUse:
    """A place where a container takes settings from a ConfigMap.

    `variable`: the env entry that `key` becomes; else `mounted`: as files (`key` None: all of them); else all keys
    become variables with `prefix`.
    """

    config_map: str
    key: str | None = None
    variable: str | None = None
    prefix: str = ""
    mounted: bool = False


@dataclass(frozen=True, slots=True)
class ConfigFacts:
    """The connections without TLS in a ConfigMap's values, by key. All of its keys are included."""

    values: Mapping[str, ClearText]


@dataclass(frozen=True, slots=True)
class PlaintextUse:
    """A setting of a workload that names the cache without TLS.

    `source`: `env`, the ConfigMap that the value comes from, or the entry of the Secret that the client opens without
    TLS. `variable`: its name, or that of the file.
    """

    kind: str
    name: str
    container: str
    variable: str
    source: str = "env"


@dataclass(frozen=True, slots=True)
class SecretCopy:
    """A foreign Secret with content that belongs in the operator's Secret only. Names only.

    `plaintext`: not the cache's key, but a connection to the cache without TLS.
    """

    name: str
    key: str
    plaintext: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A write to the cache's settings, from the activity log. `own`: by the identity of this resource."""

    at: datetime
    caller: str
    operation: str
    own: bool
