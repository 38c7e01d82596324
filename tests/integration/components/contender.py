"""A process that acts while it leads; started by test_lease. Arguments: kubeconfig, namespace, name, output file."""

import asyncio
import json
import signal
import sys
import time
from pathlib import Path

from secure_redis.kube.client import KubeClient, connect
from secure_redis.kube.lease import Elector, LeadershipLost, LeaseSettings

DURATION = 10  # seconds; longer than a busy machine keeps a leader from renewing


async def main(kubeconfig: str, namespace: str, name: str, out: str) -> int:
    client = KubeClient(await connect(Path(kubeconfig)))
    settings = LeaseSettings(namespace, duration=DURATION, renew_deadline=8, retry=0.5)
    elector = Elector(client, name, settings)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    with Path(out).open("a", buffering=1) as file:  # noqa: ASYNC230 - a line now and then

        def say(what: str) -> None:
            file.write(json.dumps({"what": what, "at": time.time()}) + "\n")

        say("waiting")
        await elector.acquire()
        holding = asyncio.create_task(elector.hold())
        while not stop.is_set() and not holding.done():
            try:
                elector.check()
                say("act")
            except LeadershipLost:
                break
            await asyncio.sleep(0.02)
        if stop.is_set():
            holding.cancel()
            await elector.release()
            await client.close()
            return 0
        say("lost")
        return 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
