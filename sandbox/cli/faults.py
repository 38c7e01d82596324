"""`./sandbox.sh fault …`: make Azure misbehave, or change a cache without the operator."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import click

from sandbox.azure.control.client import Control
from sandbox.azure.state.faults import Fault
from sandbox.cache import progress
from sandbox.cli.state import Sandbox, SandboxError

_KINDS = ["status", "html", "truncated", "hang", "reset", "delay"]


def group(chosen: Callable[[], Sandbox]) -> click.Group:
    """Return the commands. `chosen` returns the sandbox that the command line is about."""

    def control() -> Control:
        return Control.of(Path(chosen().must().azure))

    @click.group()
    def fault() -> None:
        """Make Azure misbehave, or change a cache without the operator."""

    @fault.command()
    @click.argument("kind", type=click.Choice(_KINDS))
    @click.option("--service", type=click.Choice(["entra", "arm", "vault"]), help="Which service. Default: any.")
    @click.option("--method", help="GET, PUT, …. Default: any.")
    @click.option("--path", default="", help="Regular expression for the path. Default: any.")
    @click.option("--status", default=503, show_default=True, help="With kind status.")
    @click.option("--header", multiple=True, metavar="NAME=VALUE", help="With kind status.")
    @click.option("--seconds", default=0.0, help="With kind delay.")
    @click.option("--times", default=1, show_default=True, help="How often. 0: until you remove it.")
    @click.option("--after", is_flag=True, help="The request takes effect, and its answer is lost.")
    def add(after: bool, times: int, header: Sequence[str], **given: Any) -> None:
        """Answer requests wrongly, and print the fault's id."""
        when: Literal["before", "after"] = "after" if after else "before"
        made = Fault(**given, headers=dict(_pairs(header)), times=times or None, when=when)
        print(control().faults.add(made))
        how_often = "until it is removed" if times == 0 else f"{times} times" if times > 1 else "once"
        progress(f"{made.service or 'every service'} answers with {made.kind} {how_often}; `fault list` counts it")

    @fault.command("list")
    def show() -> None:
        """List the faults in force, and how often each has hit."""
        for identifier, hits in control().faults.hits().items():
            print(f"{identifier}\t{hits} hits")

    @fault.command()
    @click.argument("identifier", metavar="ID")
    def remove(identifier: str) -> None:
        """Remove a fault."""
        control().faults.remove(identifier)
        print(f"the fault {identifier} is lifted")

    @fault.command()
    def clear() -> None:
        """Remove all faults."""
        control().faults.clear()
        print("no fault is in force")

    @fault.command()
    @click.argument("cache")
    @click.argument("properties", nargs=-1, required=True, metavar="NAME=VALUE…")
    def change(cache: str, properties: Sequence[str]) -> None:
        """Change a cache's properties as a user of the portal would, for example enableNonSslPort=true."""
        changes = {name: _value(value) for name, value in _pairs(properties)}
        control().redis.update(cache, changes)
        print(f"{cache}: " + ", ".join(f"{name} is now {json.dumps(value)}" for name, value in changes.items()))

    @fault.command()
    @click.argument("cache")
    @click.argument("slot", type=click.Choice(["Primary", "Secondary"]))
    def regenerate(cache: str, slot: str) -> None:
        """Regenerate a key, as a user of the portal would."""
        control().redis.regenerate(cache, slot)  # the key itself is nothing for a terminal
        print(f"{cache}: the {slot} key is a new one")

    return fault


def _pairs(texts: Sequence[str]) -> list[tuple[str, str]]:
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
