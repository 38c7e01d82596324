"""`python -m sandbox.pods`: run the pods of a cluster until a signal."""

import argparse
import asyncio
import signal
from pathlib import Path

from sandbox.pods.node import PodRunner


async def _serve(given: argparse.Namespace) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with PodRunner(given.kubeconfig, given.directory, given.hosts, ca_file=given.ca_file):
        (given.directory / "ready").touch()
        await ended.wait()


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.pods", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--directory", type=Path, required=True, help="for volumes and logs; emptied first")
    parser.add_argument("--hosts", type=Path, required=True, help="each container's /etc/hosts")
    parser.add_argument("--ca-file", type=Path, help="what the images trust")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
