"""Settings of a simulated cache's endpoint: keys, minimum TLS, ports and reachability."""

import dataclasses
import enum
import ipaddress
from typing import Literal

MinimumTls = Literal["1.0", "1.1", "1.2"]

TLS_PORT = 6380
PLAINTEXT_PORT = 6379


@dataclasses.dataclass(frozen=True)
class Reachability:
    """The clients that may connect, as in Azure's network settings.

    `public`: over the public endpoint, then only from `ranges` (first and last IPv4 address; empty: from anywhere).
    `private_endpoint`: an approved one exists, so the virtual network gets in whatever `public` says.
    """

    public: bool = True
    ranges: tuple[tuple[str, str], ...] = ()
    private_endpoint: bool = False


@dataclasses.dataclass(frozen=True)
class Network:
    """The simulated network: the clients inside the virtual network, and the public address of all others.

    Without a private endpoint, clients of the virtual network have the public address too.

    The default puts every client into the virtual network and lets it leave by an address reserved for documentation,
    which is in the examples' firewall rule.
    """

    virtual_network: tuple[str, ...] = ("127.0.0.0/8",)
    public_address: str = "203.0.113.10"
    # Exceptions: CIDR of loopback clients, and the public address they come from.
    elsewhere: tuple[tuple[str, str], ...] = ()

    def admits(self, client: str, reachable: Reachability) -> bool:
        """Return whether a client with this loopback source address is admitted."""
        address = ipaddress.IPv4Address(client)
        outside = [public for cidr, public in self.elsewhere if address in ipaddress.IPv4Network(cidr)]
        inside = not outside and any(address in ipaddress.IPv4Network(cidr) for cidr in self.virtual_network)
        if inside and reachable.private_endpoint:
            return True
        if not reachable.public:
            return False
        source = ipaddress.IPv4Address(outside[0] if outside else self.public_address)
        return not reachable.ranges or any(
            ipaddress.IPv4Address(first) <= source <= ipaddress.IPv4Address(last) for first, last in reachable.ranges
        )


@dataclasses.dataclass(frozen=True)
class RedisSettings:
    """One cache's endpoint. `key_acceptance_delay_seconds`: new keys work so much later, dropped ones fail immediately.

    `tls_port` speaks TLS unless `in_clear`, as the one port of Managed Redis can. `node_ports`: a cluster with a node
    at each of these ports, of the same kind; `tls_port` leads to the first of them.
    """

    keys: tuple[str, ...] = dataclasses.field(repr=False)
    minimum_tls: MinimumTls = "1.2"
    plaintext_port: bool = False
    reachable: Reachability = dataclasses.field(default_factory=Reachability)
    key_acceptance_delay_seconds: float = 0
    tls_port: int = TLS_PORT
    in_clear: bool = False
    node_ports: tuple[int, ...] = ()


class RedisFault(enum.Enum):
    """A misbehaviour of an endpoint."""

    HANG = "hang"  # accepts, and never says a word
    RESET = "reset"  # accepts, and resets
    HTTP = "http"  # answers like a web server, as a proxy in between would
    WRONG_CERTIFICATE = "wrong-certificate"  # real Redis with the certificate of another host
    EXPIRED_CERTIFICATE = "expired-certificate"  # real Redis whose certificate ended yesterday
    SELF_SIGNED_CERTIFICATE = "self-signed-certificate"  # real Redis with a certificate that no authority issued
    OLD_TLS = "old-tls"  # real Redis that speaks TLS 1.0 and 1.1, and nothing newer
    CUT_OLD_TLS = "cut-old-tls"  # an offer of a TLS version before 1.2 is answered with a reset, not with an alert
    GARBAGE = "garbage"  # answers with bytes that are no protocol's
    TRICKLE = "trickle"  # begins like TLS, and then a byte now and then


@dataclasses.dataclass(frozen=True)
class RedisAddress:
    """The address of a cache. The plaintext port is open only if the settings say so."""

    address: str
    tls_port: int = TLS_PORT
    plaintext_port: int = PLAINTEXT_PORT
