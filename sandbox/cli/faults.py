"""`python -m sandbox fault …`: make Azure misbehave, or change a cache without the operator."""

import argparse
import json
from typing import Any

from sandbox.azure.control.client import Control
from sandbox.azure.state.faults import Fault
from sandbox.cache import progress
from sandbox.cli.state import SandboxError


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its own commands."""
    fault = commands.add_parser("fault", help="let Azure misbehave, or change a cache behind the operator's back")
    does = fault.add_subparsers(dest="fault", required=True, metavar="WHAT")
    add = does.add_parser("add", help="answer requests wrongly: prints the fault's id")
    add.add_argument(
        "kind", choices=["status", "html", "truncated", "hang", "reset", "delay"], help="what happens to a request"
    )
    add.add_argument("--service", choices=["entra", "arm", "vault"], help="which service; default: any")
    add.add_argument("--method", help="GET, PUT, …; default: any")
    add.add_argument("--path", default="", help="regular expression for the path; default: any")
    add.add_argument("--status", type=int, default=503, help="with kind status (default: 503)")
    add.add_argument("--header", action="append", default=[], metavar="NAME=VALUE", help="with kind status")
    add.add_argument("--seconds", type=float, default=0.0, help="with kind delay")
    add.add_argument("--times", type=int, default=1, help="how often; 0: until removed (default: 1)")
    add.add_argument("--after", action="store_true", help="the request takes effect, its answer is lost")
    does.add_parser("list", help="the faults in force and how often each has hit")
    does.add_parser("remove", help="lift a fault").add_argument("id")
    does.add_parser("clear", help="lift all faults")
    change = does.add_parser("change", help="change a cache's properties, as a user of the portal would")
    change.add_argument("cache", help="the cache's name")
    change.add_argument("properties", nargs="+", metavar="NAME=VALUE", help="for example enableNonSslPort=true")
    regenerate = does.add_parser("regenerate", help="regenerate a key, as a user of the portal would")
    regenerate.add_argument("cache", help="the cache's name")
    regenerate.add_argument("slot", choices=["Primary", "Secondary"])


def run(control: Control, given: argparse.Namespace) -> None:
    """Run the command of the command line. Raises SandboxError, ControlError."""
    match given.fault:
        case "add":
            print(control.faults.add(_fault(given)))
            how_often = (
                "until it is removed" if given.times == 0 else f"{given.times} times" if given.times > 1 else "once"
            )
            progress(
                f"{given.service or 'every service'} answers with {given.kind} {how_often}; `fault list` counts it"
            )
        case "list":
            for identifier, hits in control.faults.hits().items():
                print(f"{identifier}\t{hits} hits")
        case "remove":
            control.faults.remove(given.id)
            print(f"the fault {given.id} is lifted")
        case "clear":
            control.faults.clear()
            print("no fault is in force")
        case "change":
            changes = {name: _value(value) for name, value in _pairs(given.properties)}
            control.redis.update(given.cache, changes)
            print(
                f"{given.cache}: " + ", ".join(f"{name} is now {json.dumps(value)}" for name, value in changes.items())
            )
        case "regenerate":
            control.redis.regenerate(given.cache, given.slot)  # the key itself is nothing for a terminal
            print(f"{given.cache}: the {given.slot} key is a new one")


def _fault(given: argparse.Namespace) -> Fault:
    return Fault(
        kind=given.kind,
        service=given.service,
        method=given.method,
        path=given.path,
        status=given.status,
        headers=dict(_pairs(given.header)),
        seconds=given.seconds,
        times=given.times or None,
        when="after" if given.after else "before",
    )


def _pairs(texts: list[str]) -> list[tuple[str, str]]:
    pairs = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise SandboxError(f"{text!r}: write NAME=VALUE")
        pairs.append((name, value))
    return pairs


def _value(text: str) -> Any:
    """Parse JSON (true, 3, null, "1.0"), else return the text itself. Versions like 1.0 stay texts."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, float) else value
