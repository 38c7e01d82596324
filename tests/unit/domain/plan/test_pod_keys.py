"""A pod holds a key only if one of its containers can have read it: every state, and what follows from it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from secure_redis.domain.observe.workloads import ContainerState, PodFacts, Reads
from secure_redis.domain.plan.rollout.pod_keys import (
    CONTAINER_START,
    RELOAD_BOUND,
    START_MARGIN,
    Holding,
    Publication,
    holding,
)
from tests.builders.workloads import V1, V2
from tests.builders.world import NOW

AT: Final = NOW - timedelta(hours=1)  # of the publication
SECOND: Final = timedelta(seconds=1)
EARLIER: Final = AT - timedelta(hours=5)
LATER: Final = AT + CONTAINER_START + SECOND
PUBLISHED: Final = Publication(V2, AT)
NEVER: Final = ContainerState("main", started=False, running=False)


def container(first: datetime | None, reads: Reads = Reads.ENV, **changes: Any) -> ContainerState:
    return replace(ContainerState("main", reads, first_start=first), **changes)


def pod(*containers: ContainerState, **changes: Any) -> PodFacts:
    """A pod that its kubelet accepted before the publication."""
    return replace(PodFacts("p", None, EARLIER), containers=containers or (container(EARLIER),), **changes)


CURRENT, NOTHING, OLDER = Holding.CURRENT, Holding.NOTHING, Holding.OLDER
STARTING, ENDING, UNREPORTED = Holding.STARTING, Holding.ENDING, Holding.UNREPORTED
SIDE = ContainerState("proxy", Reads.NOTHING, first_start=EARLIER)
FREE = {"bound": False, "accepted": False, "phase": "Pending"}

TABLE: Final = {
    # bound or not
    "gated or unscheduled": (pod(NEVER, **FREE), NOTHING),
    "unscheduled, with init and ephemeral containers": (pod(NEVER, NEVER, NEVER, **FREE), NOTHING),
    "unscheduled and deleted": (pod(NEVER, deleting=True, **FREE), NOTHING),
    "not bound, and yet a container ran": (pod(container(EARLIER), **FREE), OLDER),
    "bound, and no kubelet reports it": (pod(NEVER, accepted=False, phase="Pending"), UNREPORTED),
    # never started
    "image cannot be pulled": (pod(NEVER, phase="Pending"), NOTHING),
    "waiting with a mounted volume": (pod(replace(NEVER, reads=Reads.FILES), phase="Pending"), NOTHING),
    "waiting with a subPath": (pod(replace(NEVER, reads=Reads.SUB_PATH), phase="Pending"), NOTHING),
    "only a container without the Secret started": (pod(SIDE, NEVER), NOTHING),
    "never started and deleted": (pod(NEVER, deleting=True), ENDING),
    "mounted by no container": (pod(SIDE), NOTHING),
    # started
    "runs since before": (pod(), OLDER),
    "an init container read it": (pod(container(EARLIER, running=False), NEVER), OLDER),
    "a sidecar read it": (pod(container(EARLIER, Reads.FILES), NEVER), OLDER),
    "an ephemeral container read it": (pod(SIDE, container(EARLIER)), OLDER),
    "crashes since before": (pod(container(EARLIER, running=False)), OLDER),
    "ended, and another container runs": (pod(container(EARLIER, running=False), SIDE), OLDER),
    "restarted more than once": (pod(container(None)), OLDER),
    "started long after": (pod(container(LATER)), CURRENT),
    "started soon after": (pod(container(AT + CONTAINER_START)), OLDER),
    "started in the future": (pod(container(NOW + timedelta(hours=1))), OLDER),
    "one started after, one before": (pod(container(LATER), container(EARLIER)), OLDER),
    "one started after, one never": (pod(container(LATER), NEVER), CURRENT),
    "accepted after": (pod(container(None), started=AT + START_MARGIN + SECOND), CURRENT),
    "accepted at once": (pod(container(None), started=AT + START_MARGIN), OLDER),
    "accepted in the future": (pod(container(None), started=NOW + timedelta(hours=1)), OLDER),
    "acceptance unknown": (pod(container(None), started=None), OLDER),
    # ended
    "succeeded": (pod(container(EARLIER, running=False), phase="Succeeded"), NOTHING),
    "failed or evicted": (pod(container(EARLIER, running=False), phase="Failed"), NOTHING),
    "refused by its node": (pod(NEVER, phase="Failed"), NOTHING),
    "failed, and a container runs by the last report": (pod(phase="Failed"), OLDER),
    "the node is lost": (pod(phase="Unknown"), OLDER),
    "the node is lost, and the pod is evicted": (pod(deleting=True, ends=EARLIER), OLDER),
    # does not name the published Secret
    "never injected": (pod(SIDE, uses=False), NOTHING),
    "names a former Secret and runs": (pod(container(LATER, Reads.NOTHING), uses=False, version=V1), OLDER),
    "names a former Secret, accepted after": (pod(SIDE, uses=False, version=V1, started=LATER), OLDER),
    "names a former Secret and never started": (
        pod(replace(NEVER, reads=Reads.NOTHING), uses=False, version=V1),
        NOTHING,
    ),
}


@pytest.mark.parametrize("state", TABLE)
def test_the_table(state: str) -> None:
    facts, expected = TABLE[state]
    assert holding(facts, PUBLISHED, NOW) is expected


@pytest.mark.parametrize("reads", [Reads.ENV, Reads.FILES, Reads.SUB_PATH])
def test_a_container_that_may_be_starting_counts_for_some_minutes(reads: Reads) -> None:
    waiting = pod(replace(NEVER, reads=reads))
    assert holding(waiting, PUBLISHED, AT + CONTAINER_START) is STARTING
    assert holding(waiting, PUBLISHED, AT + CONTAINER_START + SECOND) is NOTHING
    assert holding(waiting, Publication(V2, AT, timedelta(seconds=5)), AT + timedelta(seconds=6)) is NOTHING


def test_a_pod_that_is_bound_right_after_the_publication_may_read_an_old_cache() -> None:
    gated = pod(NEVER, **FREE)
    assert holding(gated, PUBLISHED, AT + START_MARGIN) is STARTING
    assert holding(gated, PUBLISHED, AT + START_MARGIN + SECOND) is NOTHING


def test_the_template_of_a_listed_workload_proves_the_version_and_another_annotation_nothing() -> None:
    facts = pod(version=V2)
    assert holding(facts, PUBLISHED, NOW, ours=True) is CURRENT
    assert holding(facts, PUBLISHED, NOW) is OLDER
    assert holding(pod(version=V1), PUBLISHED, NOW, ours=True) is OLDER
    assert holding(pod(), Publication(None, None), NOW, ours=True) is OLDER


@pytest.mark.parametrize(
    ("containers", "renewed"),
    [
        ((container(EARLIER, Reads.FILES), SIDE), True),
        ((container(EARLIER, Reads.FILES | Reads.ENV),), False),
        ((container(EARLIER, Reads.SUB_PATH),), False),
        ((container(EARLIER, Reads.FILES), container(EARLIER, Reads.ENV)), False),
        ((SIDE,), True),  # none reads
    ],
)
def test_the_kubelet_renews_whole_volumes_only(containers: tuple[ContainerState, ...], renewed: bool) -> None:
    assert (not holding(pod(*containers), PUBLISHED, AT + RELOAD_BOUND, reloads=True).blocks) is (
        renewed and containers != (SIDE,)
    )
    assert (not holding(pod(*containers), PUBLISHED, NOW, reloads=True).blocks) is renewed
    assert holding(pod(*containers), PUBLISHED, AT + RELOAD_BOUND - SECOND, reloads=True).blocks or containers == (
        SIDE,
    )
    former = pod(container(EARLIER, Reads.NOTHING), uses=False, version=V1)
    assert holding(former, PUBLISHED, NOW, reloads=True) is OLDER


@pytest.mark.parametrize("state", TABLE)
def test_without_a_time_of_publication_no_start_proves_anything(state: str) -> None:
    facts, expected = TABLE[state]
    timeless = facts.ended or state in ("never injected", "gated or unscheduled") or "unscheduled" in state
    assert holding(facts, Publication(V2, None), NOW) is (expected if timeless else OLDER)


def test_every_result_but_two_blocks() -> None:
    assert [one for one in Holding if not one.blocks] == [CURRENT, NOTHING]
