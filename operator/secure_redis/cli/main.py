"""`secure-redis`: the command line."""

import asyncio
import gc
from pathlib import Path

import click

from secure_redis.telemetry.build import version as build_version

# The default collects every 700 new objects, and checks all that the imports made again and again. This takes 8 % of
# the processor time of a start, and of the work after it.
_COLLECT = (5_000, 20, 100)

_FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
def main() -> None:
    """Makes Redis on Azure provably safe for the applications that use it.

    Shell completion: eval "$(_SECURE_REDIS_COMPLETE=bash_source secure-redis)" (or zsh_source, fish_source).
    """


@main.command()
@click.option("--config", "config_file", type=_FILE, required=True, help="The operator's configuration (YAML).")
@click.option(
    "--kubeconfig", type=_FILE, envvar="KUBECONFIG", help="Outside a cluster: the kubeconfig of its API server."
)
@click.option("--context", help="Context of the kubeconfig.")
@click.option("--check", is_flag=True, help="Only check the configuration.")
def run(config_file: Path, kubeconfig: Path | None, context: str | None, check: bool) -> None:
    """Run the operator until SIGTERM."""
    gc.disable()  # the imports leave nothing to collect
    from secure_redis.cli.config import InvalidConfig, load
    from secure_redis.cli.run import operate, prepare

    gc.freeze()  # what the imports made stays
    gc.set_threshold(*_COLLECT)
    gc.enable()
    try:
        prepared = prepare(load(config_file))
    except InvalidConfig as error:
        raise click.ClickException(str(error)) from None
    if check:
        click.echo(f"{config_file}: ok")
        return
    raise SystemExit(asyncio.run(operate(prepared, kubeconfig, context)))


@main.command()
@click.option("--config", "config_file", type=_FILE, required=True, help="The operator's configuration (YAML).")
@click.option(
    "--kubeconfig", type=_FILE, envvar="KUBECONFIG", help="Outside a cluster: the kubeconfig of its API server."
)
@click.option("--context", help="Context of the kubeconfig.")
@click.option("--no-resources", is_flag=True, help="Instead, fail while resources require the operator.")
def verify(config_file: Path, kubeconfig: Path | None, context: str | None, no_resources: bool) -> None:
    """Check whether an installation works: the CRD is served, and a pod leads (`helm test` runs this)."""
    from secure_redis.cli.config import InvalidConfig, load
    from secure_redis.cli.verify import NotWell
    from secure_redis.cli.verify import verify as check

    try:
        asyncio.run(check(load(config_file), kubeconfig, context, no_resources=no_resources, say=click.echo))
    except (InvalidConfig, NotWell) as error:
        raise click.ClickException(str(error)) from None


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(build_version())
