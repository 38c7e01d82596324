"""The custom Azure roles of `examples/azure/roles`. The sandbox's identities have exactly the users' roles."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Final

from sandbox.chart.render import ROOT
from secure_redis.domain.grants import Power

DIRECTORY: Final = ROOT / "examples/azure/roles"
SUBSCRIPTION: Final = "subscription"  # beside the powers: what works at a subscription only, and can be done without
_FILES: Final = {
    Power.OBSERVE: "observe",
    Power.PUBLISH_KEY: "publish-key",
    Power.STORE_KEY: "store-key",
    Power.PROVISION: "provision",
    Power.CORRECT: "correct",
    Power.ROTATE: "rotate",
    Power.DELETE: "delete",
}
NAMES: Final = (*_FILES.values(), SUBSCRIPTION)


@dataclass(frozen=True, slots=True)
class Role:
    """A role definition as `az role definition create` takes it."""

    name: str
    description: str
    actions: tuple[str, ...]
    data_actions: tuple[str, ...]


@cache
def role(name: str) -> Role:
    """Return the role of that file. Raises FileNotFoundError, KeyError if it is not of the form."""
    found = json.loads((DIRECTORY / f"{name}.json").read_text())
    return Role(found["Name"], found["Description"], tuple(found["Actions"]), tuple(found["DataActions"]))


def file_of(power: Power) -> str:
    """Return the name of the power's file, without its ending."""
    return _FILES[power]


def actions(*powers: Power) -> tuple[str, ...]:
    """Return the actions of these powers' roles, each once."""
    return tuple(dict.fromkeys(action for power in powers for action in role(_FILES[power]).actions))


def data_actions(*powers: Power) -> tuple[str, ...]:
    """Return the data actions of these powers' roles, each once."""
    return tuple(dict.fromkeys(action for power in powers for action in role(_FILES[power]).data_actions))
