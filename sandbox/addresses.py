"""Loopback addresses for caches and pods: blocks of 127.0.0.0/8 that no other sandbox on this machine uses."""

import ipaddress
import random
import socket
from collections.abc import Iterator

# Claimed by binding; far from what services of a machine use (127.0.0.1, and 127.0.1.1, 127.0.0.53 on Ubuntu).
_BLOCKS = ipaddress.IPv4Network("127.64.0.0/10")
_CLAIM_PORT = 20255
_CLAIM_ATTEMPTS = 200


class AddressError(RuntimeError):
    """No free loopback addresses."""


class AddressBlock:
    """A /24 of loopback addresses, reserved while this object lives by a socket bound to its first address."""

    def __init__(self) -> None:
        """Claim a free block. Raises AddressError."""
        for _ in range(_CLAIM_ATTEMPTS):
            base = int(_BLOCKS.network_address) + random.randrange(_BLOCKS.num_addresses // 256) * 256  # noqa: S311
            claim = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                claim.bind((str(ipaddress.IPv4Address(base + 1)), _CLAIM_PORT))
            except OSError:
                claim.close()
                continue
            self._claim = claim
            self.network = ipaddress.IPv4Network((base, 24))
            self._free = [str(ipaddress.IPv4Address(base + last)) for last in range(254, 1, -1)]
            return
        raise AddressError(
            f"no free block of loopback addresses in {_BLOCKS}: too many sandboxes, or a firewall of yours"
        )

    def take(self) -> str | None:
        """Return an address of the block; None if all are taken."""
        return self._free.pop() if self._free else None

    def give_back(self, address: str) -> None:
        """Free the address. It is reused last, so that a late client does not reach another server."""
        self._free.insert(0, address)

    def close(self) -> None:
        """Give up the block."""
        self._claim.close()


class Addresses:
    """Gives out addresses from blocks that it claims when needed."""

    def __init__(self) -> None:
        self._blocks: list[AddressBlock] = []

    def take(self) -> str:
        """Return an address that no one else uses. Raises AddressError."""
        for block in self._blocks:
            address = block.take()
            if address is not None:
                return address
        self._blocks.append(AddressBlock())
        return self.take()

    def give_back(self, address: str) -> None:
        """Free the address."""
        for block in self._blocks:
            if ipaddress.IPv4Address(address) in block.network:
                block.give_back(address)

    def networks(self) -> Iterator[ipaddress.IPv4Network]:
        """The blocks in use."""
        return (block.network for block in self._blocks)

    def close(self) -> None:
        """Give up all blocks."""
        for block in self._blocks:
            block.close()
        self._blocks.clear()
