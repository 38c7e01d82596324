"""Probe what an endpoint really speaks, from where the operator runs, in few connections and with nothing secret.

Servers often refuse an old version, or close the non-TLS port, by a cut connection or by silence. A firewall does the
same. So these count only together with a proof that the server accepts this client: a ServerHello.
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
from secure_redis.probe.connections import PlainAnswer, Session, Untrusted, handshake, offer, ping
from secure_redis.probe.hello import SILENT, TLS_1_0, TLS_1_1, TLS_1_2, Answer, AnswerKind, Version
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
    """Probe `host` once: at most six connections, one after the other, within `deadline` seconds.

    `ca_file`: PEM roots besides the system's. Nothing that the network or the server does raises: a check without a
    result is Unknown, with a fixed text that holds none of the server's bytes.
    """
    current = _Probe(host, port, plaintext_port, ca_file, deadline)
    at = now()
    try:
        async with asyncio.timeout(deadline):
            await current.run()
    except TimeoutError:
        pass  # the results until then count, all others are Unknown
    return current.facts(at)


class _Probe:
    """One probe, with its results so far."""

    def __init__(self, host: str, port: int, plaintext_port: int, ca_file: str | None, deadline: float) -> None:
        self._host = host
        self._port = port
        self._clear = plaintext_port  # the non-TLS port
        self._ca_file = ca_file
        self._deadline = deadline
        self._seconds = deadline / MOST_CONNECTIONS  # so that one that hangs leaves time for the others
        self._where = f"{host}:{port}"
        self._accepted = False  # a ServerHello came back: the network and the server accept this client
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
            addresses=self._addresses if isinstance(self._addresses, Unknown) else _sorted(self._addresses),
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

    async def run(self) -> None:
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
        if await self._shake_hands(addresses):
            await self._offer_each()
        await self._ping_without_tls([self._reached] if isinstance(self._reached, str) else addresses)

    # --- the handshake of current clients ---------------------------------------------------------------------------

    async def _shake_hands(self, addresses: list[str]) -> bool:
        """Shake hands. Return whether single versions are worth offering."""
        trusted: Verification | Unknown = Verification(True)
        try:
            context = trust.verifying(self._ca_file, name=False)  # the name is checked apart from the chain
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
                self._accepted = True
                self._chain = trusted
                self._learn(outcome)
                return True
            case Untrusted():
                self._accepted = True
                self._chain = Verification(False, outcome.why)
                await self._read_certificate()
                return True
            case Answer():
                self._accepted = outcome.kind is AnswerKind.HELLO
                self._chain = self._explain(outcome)
                self._no_session(self._explain(outcome))
                if _too_new(outcome):
                    self._tls_1_3 = Offer.REFUSED
                if outcome.kind not in (AnswerKind.SILENT, AnswerKind.OTHER):
                    return True
                self._offers = dict.fromkeys(self._offers, self._explain(outcome))
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

    async def _read_certificate(self) -> None:
        """Read the certificate that could not be trusted."""
        self._no_session(Unknown(Reason.UNKNOWN, f"the certificate of {self._where} could not be read a second time"))
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

    def _explain(self, answer: Answer) -> Unknown:
        if _too_new(answer):
            return Unknown(Reason.UNKNOWN, f"{self._where} does not speak TLS 1.2 or newer")
        match answer.kind:
            case AnswerKind.HELLO:
                return Unknown(Reason.UNKNOWN, f"{self._where} began a TLS handshake and did not complete it")
            case AnswerKind.ALERT:
                return Unknown(Reason.UNKNOWN, f"{self._where} refused the TLS handshake")
            case AnswerKind.OTHER:
                return Unknown(Reason.UNKNOWN, f"{self._where} does not speak TLS")
            case AnswerKind.SILENT:
                return Unknown(
                    Reason.NO_ROUTE, f"{self._where} took the connection and did not answer; is there a route to it?"
                )
            case AnswerKind.CUT:  # how Azure's front end and firewalls refuse a client: accepted, then closed
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
            if answer.kind is AnswerKind.CUT:
                cut[version] = answer  # interpreted below
            else:
                self._offers[version] = self._interpret(version, answer)
        if self._offers[TLS_1_2] is Offer.ACCEPTED and not cut:
            return
        # Last, because it also shows whether the server still accepts this client: if not, a cut proves nothing.
        last = await self._offer(TLS_1_2)
        self._accepted &= last.kind in (AnswerKind.HELLO, AnswerKind.ALERT)
        for version, answer in cut.items():
            self._offers[version] = self._interpret(version, answer)
        if self._offers[TLS_1_2] is not Offer.ACCEPTED:
            self._offers[TLS_1_2] = self._interpret(TLS_1_2, last)

    async def _offer(self, version: Version) -> Answer:
        try:
            answer = await offer(self._address, self._port, version, _server_name(self._host), self._seconds)
        except OSError:
            answer = SILENT
        self._accepted |= answer.kind is AnswerKind.HELLO
        return answer

    def _interpret(self, version: Version, answer: Answer) -> Offer | Unknown:
        if answer.version is not None:
            if answer.version > version:
                return Unknown(
                    Reason.UNKNOWN, f"{self._where} answered an offer of {_version_name(version)} with a newer version"
                )
            return Offer.ACCEPTED if answer.version == version else Offer.REFUSED
        if answer.alert == _PROTOCOL_VERSION or (answer.alert in _REFUSALS and self._accepted):
            return Offer.REFUSED
        if answer.kind is AnswerKind.CUT and self._accepted:
            return Offer.REFUSED
        return Unknown(
            Reason.NO_ROUTE if answer.kind in (AnswerKind.CUT, AnswerKind.SILENT) else Reason.UNKNOWN,
            f"whether {self._where} refuses {_version_name(version)} is not known: it answered {answer.kind.value}",
        )

    # --- the non-TLS port -------------------------------------------------------------------------------------------

    async def _ping_without_tls(self, addresses: list[str]) -> None:
        alone = self._clear == self._port
        where = f"{self._where}, probed without TLS," if alone else f"the non-TLS port {self._clear} of {self._host}"
        state = self._plaintext
        for address in addresses:
            try:
                state = self._plain_state(await ping(address, self._clear, self._seconds), where)
                break
            except ConnectionRefusedError:
                state = self._if_accepted(PlaintextPort.CLOSED, where)
            except TimeoutError:
                state = self._if_accepted(PlaintextPort.NOT_ANSWERING, where)
            except OSError:
                state = Unknown(Reason.NO_ROUTE, f"no connection to {where}; is there a route to it?")
        self._plaintext = state

    def _plain_state(self, answer: PlainAnswer, where: str) -> PlaintextPort | Unknown:
        match answer:
            case PlainAnswer.REDIS:
                return PlaintextPort.OPEN
            case PlainAnswer.CUT:
                return self._if_accepted(PlaintextPort.NOT_ANSWERING, where)
            case PlainAnswer.SILENT:
                return Unknown(Reason.UNKNOWN, f"{where} takes connections and sends nothing")
            case _ if self._clear == self._port and isinstance(self._negotiated, Negotiated):
                return PlaintextPort.NOT_ANSWERING  # the only port speaks TLS, as the handshake showed
            case PlainAnswer.OTHER:
                return Unknown(Reason.UNKNOWN, f"{where} takes connections and does not speak Redis")

    def _if_accepted(self, state: PlaintextPort, where: str) -> PlaintextPort | Unknown:
        if self._accepted:
            return state
        return Unknown(
            Reason.NO_ROUTE,
            f"{where} does not answer, and the TLS port does not work from here either; is there a route to it?",
        )


def _sorted(addresses: tuple[ResolvedAddress, ...]) -> tuple[ResolvedAddress, ...]:
    """Sort, so that a resolver that rotates its answers does not count as a change."""
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


def _version_name(version: Version) -> str:
    return f"TLS 1.{version[1] - 1}"
