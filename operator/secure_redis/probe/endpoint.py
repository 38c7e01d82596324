"""What does an endpoint really speak? Asked from where the operator runs, with nothing secret, in few connections.

That an old version is refused, or that the non-TLS port is closed, is often told by a cut or by silence, which a
firewall gives as well. So those count only beside a proof that the server lets this client in: a ServerHello.
"""

import asyncio
import ipaddress
import ssl
from collections.abc import Callable
from datetime import datetime
from typing import Final

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.endpoint import (
    CertificateFacts,
    EndpointFacts,
    Negotiated,
    Offer,
    PlaintextPort,
    ResolvedAddress,
    Verification,
)
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.probe import certificates, trust
from secure_redis.probe.connections import Session, Untrusted, Words, handshake, offer, ping
from secure_redis.probe.hello import SILENT, TLS_1_0, TLS_1_1, TLS_1_2, Answer, Said, Version
from secure_redis.probe.resolution import resolve

MOST_CONNECTIONS: Final = 6
_ADDRESSES_TRIED: Final = 3
# Alerts, RFC 5246 §7.2.2: the server speaks TLS, but not this version, or with none of its many suites.
_PROTOCOL_VERSION: Final = 70
_REFUSALS: Final = frozenset({40, _PROTOCOL_VERSION, 71})  # handshake_failure, insufficient_security


async def probe(
    host: str,
    port: int,
    *,
    plaintext_port: int,
    ca_file: str | None,
    deadline: float,
    now: Callable[[], datetime],
) -> EndpointFacts:
    """Look at `host` once: at most six connections, one after the other, all over within `deadline` seconds.

    `ca_file`: PEM roots besides the system's. Nothing that the network or the server does raises: what could not be
    told is Unknown, with fixed words that hold none of the server's bytes.
    """
    look = _Look(host, port, plaintext_port, ca_file, deadline)
    at = now()
    try:
        async with asyncio.timeout(deadline):
            await look.take()
    except TimeoutError:
        pass  # what was seen until then stands, the rest is Unknown
    return look.facts(at)


class _Look:
    """One look, as far as it got."""

    def __init__(self, host: str, port: int, plaintext_port: int, ca_file: str | None, deadline: float) -> None:
        self._host = host
        self._port = port
        self._clear = plaintext_port  # the non-TLS port
        self._ca_file = ca_file
        self._deadline = deadline
        self._seconds = deadline / MOST_CONNECTIONS  # so that one that hangs leaves the others their time
        self._where = f"{host}:{port}"
        self._let_in = False  # a ServerHello came back: the network and the server take this client
        self._address = ""  # where the connections go
        late = Unknown(Reason.NO_ROUTE, f"the probe of {host} was not over in time; is there a route to it?")
        self._addresses: tuple[ResolvedAddress, ...] | Unknown = late
        self._reached: str | Unknown = late
        self._chain: Verification | Unknown = late
        self._name: Verification | Unknown = late
        self._negotiated: Negotiated | Unknown = late
        self._offers: dict[Version, Offer | Unknown] = dict.fromkeys((TLS_1_0, TLS_1_1, TLS_1_2), late)
        self._tls_1_3: Offer | Unknown = late
        self._certificate: CertificateFacts | Unknown = late
        self._plaintext: PlaintextPort | Unknown = late

    def facts(self, at: datetime) -> EndpointFacts:
        return EndpointFacts(
            host=self._host,
            port=self._port,
            plaintext_port=self._clear,
            at=at,
            addresses=self._addresses if isinstance(self._addresses, Unknown) else _in_order(self._addresses),
            reached=self._reached,
            chain=self._chain,
            name=self._name,
            negotiated=self._negotiated,
            tls_1_0=self._offers[TLS_1_0],
            tls_1_1=self._offers[TLS_1_1],
            tls_1_2=self._offers[TLS_1_2],
            tls_1_3=self._tls_1_3,
            certificate=self._certificate,
            plaintext=self._plaintext,
        )

    async def take(self) -> None:
        if not certificates.is_host(self._host) or not all(0 < port < 65536 for port in (self._port, self._clear)):
            self._addresses = self._plaintext = Unknown(
                Reason.UNKNOWN, "the host name or a port that Azure reports cannot be one"
            )
            self._unreached(self._addresses)
            return
        self._addresses = await resolve(self._host, self._deadline / 3)
        if isinstance(self._addresses, Unknown):
            self._plaintext = self._addresses
            self._unreached(self._addresses)
            return
        addresses = [one.address for one in self._addresses[:_ADDRESSES_TRIED]]
        if await self._shake(addresses):
            await self._offer_each()
        await self._ask_in_clear([self._reached] if isinstance(self._reached, str) else addresses)

    # --- the handshake of today's clients ---------------------------------------------------------------------------

    async def _shake(self, addresses: list[str]) -> bool:
        """Shake hands. Returns whether it is worth offering single versions."""
        trusted: Verification | Unknown = Verification(True)
        try:
            context = trust.verifying(self._ca_file, name=False)  # the name is judged apart from the chain
        except OSError as error:  # ssl.SSLError is one too
            context = trust.observing()
            problem = f"the CA file {self._ca_file} cannot be used ({type(error).__name__})"
            trusted = Unknown(Reason.INTERNAL_ERROR, problem)
        outcome = await self._first(addresses, context)
        match outcome:
            case Unknown():
                self._unreached(outcome)
                return False
            case Session():
                self._let_in = True
                self._chain = trusted
                self._learn(outcome)
                return True
            case Untrusted():
                self._let_in = True
                self._chain = Verification(False, outcome.why)
                await self._look_again()
                return True
            case Answer():
                self._let_in = outcome.said is Said.HELLO
                self._chain = self._why(outcome)
                self._no_session(self._why(outcome))
                if _too_new(outcome):
                    self._tls_1_3 = Offer.REFUSED
                if outcome.said not in (Said.SILENT, Said.OTHER):
                    return True
                self._offers = dict.fromkeys(self._offers, self._why(outcome))
                return False

    async def _first(self, addresses: list[str], context: ssl.SSLContext) -> Session | Untrusted | Answer | Unknown:
        problem = Unknown(Reason.NO_ROUTE, f"no connection to {self._where}; is there a route to it?")
        for address in addresses:
            try:
                outcome = await handshake(address, self._port, context, self._host, self._seconds)
            except TimeoutError:
                problem = Unknown(Reason.NO_ROUTE, f"{self._where} did not answer in time; is there a route to it?")
            except ConnectionRefusedError:
                problem = Unknown(Reason.NO_ROUTE, f"{self._where} refuses connections; is there a route to it?")
            except OSError:
                pass
            else:
                self._reached = self._address = address
                return outcome
        return problem

    async def _look_again(self) -> None:
        """Look at the certificate that could not be trusted."""
        self._no_session(
            Unknown(Reason.UNKNOWN, f"the certificate of {self._where} could not be looked at a second time")
        )
        try:
            outcome = await handshake(self._address, self._port, trust.observing(), self._host, self._seconds)
        except OSError:
            return
        if isinstance(outcome, Session):
            self._learn(outcome)

    def _learn(self, session: Session) -> None:
        version = session.version.removeprefix("TLSv")
        self._negotiated = Negotiated(version, session.cipher)
        if version == "1.2":
            self._offers[TLS_1_2] = Offer.ACCEPTED
        # A server takes the newest that both know (RFC 8446 §4.2.1).
        if version == "1.3":
            self._tls_1_3 = Offer.ACCEPTED
        elif ssl.HAS_TLSv1_3:
            self._tls_1_3 = Offer.REFUSED
        else:
            self._tls_1_3 = Unknown(Reason.UNKNOWN, "the operator's own TLS library does not speak TLS 1.3")
        read = certificates.read(session.certificate)
        if isinstance(read, Unknown):
            self._certificate = self._name = read
            return
        self._certificate, names = read
        if certificates.is_for(names, self._host):
            self._name = Verification(True)
        else:
            self._name = Verification(False, f"the certificate is not for {self._host}")

    def _why(self, answer: Answer) -> Unknown:
        if _too_new(answer):
            return Unknown(Reason.UNKNOWN, f"{self._where} does not speak TLS 1.2 or newer")
        match answer.said:
            case Said.HELLO:
                return Unknown(Reason.UNKNOWN, f"{self._where} began a TLS handshake and did not complete it")
            case Said.ALERT:
                return Unknown(Reason.UNKNOWN, f"{self._where} refused the TLS handshake")
            case Said.OTHER:
                return Unknown(Reason.UNKNOWN, f"{self._where} does not speak TLS")
            case Said.SILENT:
                return Unknown(
                    Reason.NO_ROUTE, f"{self._where} took the connection and did not answer; is there a route to it?"
                )
            case Said.CUT:  # how Azure's front end and firewalls turn somebody away: accepted, then closed
                return Unknown(
                    Reason.NO_ROUTE,
                    f"the connection to {self._where} was cut: by a firewall, or by a server without TLS 1.2 or newer",
                )

    def _unreached(self, why: Unknown) -> None:
        self._reached = why
        self._chain = why
        self._offers = dict.fromkeys(self._offers, why)
        self._no_session(why)

    def _no_session(self, why: Unknown) -> None:
        self._name = self._negotiated = self._certificate = self._tls_1_3 = why

    # --- single versions --------------------------------------------------------------------------------------------

    async def _offer_each(self) -> None:
        cut: dict[Version, Answer] = {}
        for version in (TLS_1_0, TLS_1_1):
            answer = await self._offer(version)
            if answer.said is Said.CUT:
                cut[version] = answer  # judged below
            else:
                self._offers[version] = self._judged(version, answer)
        if self._offers[TLS_1_2] is Offer.ACCEPTED and not cut:
            return
        # Last, because it shows too whether the server still lets us in: if it does not, a cut means nothing.
        last = await self._offer(TLS_1_2)
        self._let_in &= last.said in (Said.HELLO, Said.ALERT)
        for version, answer in cut.items():
            self._offers[version] = self._judged(version, answer)
        if self._offers[TLS_1_2] is not Offer.ACCEPTED:
            self._offers[TLS_1_2] = self._judged(TLS_1_2, last)

    async def _offer(self, version: Version) -> Answer:
        try:
            answer = await offer(self._address, self._port, version, _server_name(self._host), self._seconds)
        except OSError:
            answer = SILENT
        self._let_in |= answer.said is Said.HELLO
        return answer

    def _judged(self, version: Version, answer: Answer) -> Offer | Unknown:
        if answer.version is not None:
            if answer.version > version:
                return Unknown(
                    Reason.UNKNOWN, f"{self._where} answered an offer of {_words(version)} with a newer version"
                )
            return Offer.ACCEPTED if answer.version == version else Offer.REFUSED
        if answer.alert == _PROTOCOL_VERSION or (answer.alert in _REFUSALS and self._let_in):
            return Offer.REFUSED
        if answer.said is Said.CUT and self._let_in:
            return Offer.REFUSED
        return Unknown(
            Reason.NO_ROUTE if answer.said in (Said.CUT, Said.SILENT) else Reason.UNKNOWN,
            f"whether {self._where} refuses {_words(version)} could not be told: it said {answer.said.value}",
        )

    # --- the non-TLS port -------------------------------------------------------------------------------------------

    async def _ask_in_clear(self, addresses: list[str]) -> None:
        alone = self._clear == self._port
        where = f"{self._where}, asked in clear," if alone else f"the non-TLS port {self._clear} of {self._host}"
        state = self._plaintext
        for address in addresses:
            try:
                state = self._heard(await ping(address, self._clear, self._seconds), where)
                break
            except ConnectionRefusedError:
                state = self._if_let_in(PlaintextPort.CLOSED, where)
            except TimeoutError:
                state = self._if_let_in(PlaintextPort.NOT_ANSWERING, where)
            except OSError:
                state = Unknown(Reason.NO_ROUTE, f"no connection to {where}; is there a route to it?")
        self._plaintext = state

    def _heard(self, words: Words, where: str) -> PlaintextPort | Unknown:
        match words:
            case Words.REDIS:
                return PlaintextPort.OPEN
            case Words.CUT:
                return self._if_let_in(PlaintextPort.NOT_ANSWERING, where)
            case Words.SILENT:
                return Unknown(Reason.UNKNOWN, f"{where} takes connections and says nothing")
            case _ if self._clear == self._port and isinstance(self._negotiated, Negotiated):
                return PlaintextPort.NOT_ANSWERING  # the one port there is speaks TLS, as was seen, and no clear Redis
            case Words.OTHER:
                return Unknown(Reason.UNKNOWN, f"{where} takes connections and does not speak Redis")

    def _if_let_in(self, state: PlaintextPort, where: str) -> PlaintextPort | Unknown:
        if self._let_in:
            return state
        return Unknown(
            Reason.NO_ROUTE,
            f"{where} does not answer, nor was the TLS port seen to work from here; is there a route to it?",
        )


def _in_order(addresses: tuple[ResolvedAddress, ...]) -> tuple[ResolvedAddress, ...]:
    """Sort: a resolver that takes turns must not look like a change."""
    return tuple(sorted(addresses, key=lambda one: (":" in one.address, ipaddress.ip_address(one.address).packed)))


def _too_new(answer: Answer) -> bool:
    """Whether TLS 1.2 and newer were offered and the server knows only older."""
    return answer.alert == _PROTOCOL_VERSION or (answer.version is not None and answer.version < TLS_1_2)


def _server_name(host: str) -> str | None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host
    return None


def _words(version: Version) -> str:
    return f"TLS 1.{version[1] - 1}"
