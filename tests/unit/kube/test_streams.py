"""Which watch is missing, for how long, and how /readyz names it."""

from secure_redis.kube.streams import PATIENCE, Streams


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_watch_that_never_opens_is_missing_after_a_while() -> None:
    clock = Clock()
    streams = Streams(clock)
    streams.expect("/a", "Secrets", "shop")
    clock.now += PATIENCE
    assert streams.missing() is None
    clock.now += 1
    assert streams.missing() == "no watch of Secrets in namespace 'shop': changes are noticed late; see the log"
    streams.opened("/a")
    assert streams.missing() is None
    clock.now += 10 * PATIENCE
    assert streams.missing() is None


def test_a_watch_that_is_opened_again_is_not_missing() -> None:
    clock = Clock()
    streams = Streams(clock)
    streams.expect("/a", "CronJobs", None)
    for _ in range(3):
        streams.opened("/a")
        clock.now += 10 * PATIENCE
        streams.closed("/a")
        clock.now += PATIENCE
        assert streams.missing() is None
    clock.now += 1
    assert "CronJobs in all namespaces" in (streams.missing() or "")


def test_what_is_not_expected_is_not_missing() -> None:
    clock = Clock()
    streams = Streams(clock)
    streams.opened("/b")
    streams.closed("/b")
    streams.expect("/a", "Secrets", "shop")
    streams.forget("/a")
    clock.now += 10 * PATIENCE
    assert streams.missing() is None


def test_three_are_named_and_the_others_counted() -> None:
    clock = Clock()
    streams = Streams(clock)
    for name in "edcba":
        streams.expect(f"/{name}", "Secrets", name)
        streams.expect(f"/{name}", "Secrets", name)
    clock.now += PATIENCE + 1
    told = streams.missing()
    assert told is not None
    assert "namespace 'a', Secrets in namespace 'b', Secrets in namespace 'c' and 2 more" in told
    streams.closed("/a")
    assert streams.missing() == told
