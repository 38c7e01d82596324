"""`make demo`, `make demo KEEP=1`: run the demo. It ends with code 0 and `demo: ok` only if all claims are true."""

import argparse
import signal
import subprocess
import sys
from collections.abc import Sequence

from sandbox.azure.control.port import ControlError
from sandbox.cli.state import Sandbox, SandboxError
from sandbox.cluster import ClusterError
from sandbox.demo import closing, shop
from sandbox.demo.chapters import CHAPTERS, Chapter, consent
from sandbox.demo.managed import managed
from sandbox.demo.persistence import persistence
from sandbox.demo.rotation import rotation
from sandbox.demo.running import operator_log_tail, running
from sandbox.demo.stage import Stage
from sandbox.demo.story import DemoError, Story
from sandbox.prepare import NotToBeHad, prepare
from sandbox.processes import ProcessError

STORY = (
    *CHAPTERS,
    ("Persisted data is followed to the disk", persistence),
    ("A key is rotated, and no client is refused", rotation),
    ("The same with an Azure Managed Redis", managed),
    ("No key was shown on the way", closing.no_key_leaked),
)
_INTERRUPTED = 130
# Failures besides a claim. Their texts state the problem and the remedy. AssertionError: an answer of the API server.
_FAILURES = (
    DemoError,
    SandboxError,
    ControlError,
    ClusterError,
    ProcessError,
    *NotToBeHad,
    AssertionError,
    OSError,
    subprocess.TimeoutExpired,
)


def main(arguments: Sequence[str] | None = None, chapters: Sequence[tuple[str, Chapter]] = STORY) -> int:
    """Run the chapters. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything running and say what to try")
    parser.add_argument(
        "--name", default="demo", help="of the sandbox, if several run at the same time (default: demo)"
    )
    given = parser.parse_args(arguments)
    story = Story()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        sandbox = Sandbox(given.name)
        _opening(story)
        with running(sandbox, story, keep=given.keep) as facts:
            try:
                stage = Stage(story, facts, sandbox.directory)
                _tell(stage, sandbox, chapters, keep=given.keep)
            except _FAILURES:
                _explain(story, sandbox)
                raise
    except KeyboardInterrupt:
        story.last("demo: interrupted; everything that it started has ended", good=False)
        return _INTERRUPTED
    except _FAILURES as error:
        story.last(f"demo: FAILED: {error}", good=False)
        return 1
    story.last("demo: ok", good=True)
    return 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _opening(story: Story) -> None:
    story.say(
        """secure-redis-operator: a demo. Kubernetes, the pods' processes, Redis and TLS are real and run on this
        machine only; Azure is simulated. The operator does not know. Lines with $ are commands, and what is below them
        is what they printed."""
    )
    story.say("Preparing (the first time this builds a control plane, which takes minutes; it is kept), then starting:")
    prepare(helm=False)


def _tell(stage: Stage, sandbox: Sandbox, chapters: Sequence[tuple[str, Chapter]], *, keep: bool) -> None:
    story = stage.story
    there = shop.open_for_business(stage)
    story.say(
        f"""The manifests are those of examples/, applied as they are, with one difference: vaults are at
        {stage.control.endpoints.vault_suffix} here instead of vault.azure.net. The simulated Azure has been given the
        subscription, tenant, client and names that they mention."""
    )
    consent(stage, there)
    for number, (title, chapter) in enumerate(chapters, 1):
        story.chapter(number, title)
        chapter(stage, there)
    story.verdict()
    if keep:
        closing.hints(stage, there, sandbox)


def _explain(story: Story, sandbox: Sandbox) -> None:
    story.say("The last lines of the operator's log:")
    story.output(operator_log_tail(sandbox) or "(it has not printed anything)")
    story.note(f"all logs: {sandbox.directory}")


if __name__ == "__main__":
    sys.exit(main())
