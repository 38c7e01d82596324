"""A process that acts while it leads; started by test_lease.

Arguments: kubeconfig, namespace, name, output file, the lease's duration and renew deadline in seconds, and a file.
While that file exists, the event loop runs nothing but a loop of Python code.
"""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

from secure_redis.kube.client import KubeClient, connect
from secure_redis.kube.lease import Elector, LeadershipLost, LeaseSettings
from secure_redis.kube.lease_thread import LeaseThread
from secure_redis.telemetry.loop_watch import LoopWatch

DURATION = 10  # seconds; longer than a busy machine keeps a leader from renewing


async def main(kubeconfig: str, namespace: str, name: str, out: str, duration: str, deadline: str, block: str) -> int:
    settings = LeaseSettings(namespace, duration=int(duration), renew_deadline=float(deadline), retry=0.5)
    watch = LoopWatch(lambda _: None, settings.longest_stall, lambda: None)
    watch.start()

    async def make() -> Elector:
        return Elector(KubeClient(await connect(Path(kubeconfig))), name, settings, lag=lambda: watch.lag)

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    with Path(out).open("a", buffering=1) as file:  # noqa: ASYNC230 - a line now and then

        def say(what: str) -> None:
            file.write(json.dumps({"what": what, "at": time.time()}) + "\n")

        def lost() -> None:
            say("lost")
            os._exit(1)  # like the operator's last resort: the loop may never run again

        thread = LeaseThread(make, lost)
        elector = await thread.start()
        say("waiting")
        await thread.acquire()
        holding = asyncio.create_task(thread.hold())
        while not stop.is_set():
            try:
                elector.check()
                say("act")
            except LeadershipLost:
                break
            await asyncio.sleep(0.02)
            if _exists(block):
                say("blocked")
                while _exists(block):
                    pass
                say("not blocked")
        if stop.is_set():
            holding.cancel()
            await thread.release()
            await thread.stop()
            return 0
        await asyncio.sleep(60)  # `lost` ends the process
        return 2


def _exists(path: str) -> bool:
    return Path(path).exists()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
