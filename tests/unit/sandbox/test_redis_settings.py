import pytest

from sandbox.addresses import Addresses
from sandbox.redis_settings import Network, Reachability

NETWORK = Network(virtual_network=("127.96.0.0/16",), elsewhere=(("127.96.9.0/24", "198.51.100.7"),))
INSIDE, OUTSIDE, ELSEWHERE = "127.96.1.2", "127.0.0.1", "127.96.9.3"
OURS = (("203.0.113.0", "203.0.113.63"),)
THEIRS = (("198.51.100.0", "198.51.100.255"),)


@pytest.mark.parametrize(
    ("reachable", "admitted"),
    [
        (Reachability(), {INSIDE, OUTSIDE, ELSEWHERE}),
        (Reachability(public=False), set()),
        (Reachability(public=False, private_endpoint=True), {INSIDE}),
        (Reachability(public=False, ranges=OURS), set()),
        (Reachability(ranges=OURS), {INSIDE, OUTSIDE}),
        (Reachability(ranges=THEIRS), {ELSEWHERE}),
        (Reachability(ranges=THEIRS, private_endpoint=True), {INSIDE, ELSEWHERE}),
        (Reachability(ranges=OURS + THEIRS), {INSIDE, OUTSIDE, ELSEWHERE}),
    ],
)
def test_which_clients_get_in(reachable: Reachability, admitted: set[str]) -> None:
    assert {one for one in (INSIDE, OUTSIDE, ELSEWHERE) if NETWORK.admits(one, reachable)} == admitted


def test_addresses_are_exclusive_and_reused_last() -> None:
    one, other = Addresses(), Addresses()
    try:
        taken = [one.take() for _ in range(300)] + [other.take() for _ in range(10)]
        assert len(set(taken)) == 310
        assert all(address.startswith("127.") for address in taken)
        one.give_back(taken[299])
        assert one.take() != taken[299]
    finally:
        one.close()
        other.close()
