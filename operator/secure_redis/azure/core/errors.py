"""Classify every error between the operator and Azure, in one place.

Branches on the service's own code, not on the SDK's class: azure-core maps every 409 to ResourceExistsError. Texts
that a user reads are the same on every retry.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import aiohttp
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)

from secure_redis.api.reasons.catalogue import with_remedy
from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core import answers, roles
from secure_redis.azure.core.bounded_answer import AnswerTooLarge
from secure_redis.azure.core.entra_errors import classify_entra
from secure_redis.azure.core.error_body import LONGEST_MESSAGE, error_body, inner_code
from secure_redis.azure.core.failures import (
    Denied,
    Failure,
    Guard,
    IdentityUnavailable,
    Missing,
    NotFound,
    Permanent,
    Refused,
    Source,
    Transient,
)
from secure_redis.azure.core.lists import EndlessList
from secure_redis.azure.core.rate_limits import retry_after
from secure_redis.telemetry.external_text import clean

_RETIRING = re.compile(r"\bis retiring\b|no longer supported.{0,80}retir|AzureCacheForRedisRetirement", re.IGNORECASE)
_BUSY = re.compile(r"\b(busy processing|undergoing system maintenance|try again later)\b", re.IGNORECASE)
_KEYS_DISABLED = re.compile(r"access key authentication is disabled", re.IGNORECASE)
_ACTION = re.compile(r"perform action '([^']{1,200})'(?:.{0,10}over scope '([^']{1,1000})')?")
# LinkedAuthorizationFailed names what the caller may do first, and what it lacks afterwards.
_LINKED = re.compile(
    r"does not have permission to perform action\(s\) '([^']{1,200})'(?: on the linked scope\(s\) '([^']{1,1000})')?"
)
_DATA_ACTION = re.compile(r"Action: '(Microsoft\.KeyVault/[A-Za-z/]{1,200})'", re.IGNORECASE)
_RESOURCE = re.compile(r"Resource: '(/[^']{1,1000})'")
_READ_ACTIONS: Final = ("getsecret/action", "readmetadata/action")
_POLICY_RIGHT = re.compile(r"does not have (secrets [a-z]{1,20}) permission", re.IGNORECASE)
_POLICY_NAME = re.compile(r'"policyAssignment"\s{0,9}:\s{0,9}\{\s{0,9}"name"\s{0,9}:\s{0,9}"([^"]{1,200})"')

# The reasons for Resource Manager's codes (in lower case).
_PERMANENT_CODES: Final[Mapping[str, Reason]] = {
    "missingsubscriptionregistration": Reason.SUBSCRIPTION_UNAVAILABLE,
    "subscriptionnotfound": Reason.SUBSCRIPTION_UNAVAILABLE,
    "invalidsubscriptionid": Reason.SUBSCRIPTION_UNAVAILABLE,
    "readonlydisabledsubscription": Reason.SUBSCRIPTION_UNAVAILABLE,
    "disabledsubscription": Reason.SUBSCRIPTION_UNAVAILABLE,
    "subscriptionnotregistered": Reason.SUBSCRIPTION_UNAVAILABLE,
    "namenotavailable": Reason.NAME_TAKEN,
    "quotaexceeded": Reason.QUOTA_EXCEEDED,
    "locationnotavailableforresourcetype": Reason.REQUEST_REFUSED,
    "skunotavailable": Reason.REQUEST_REFUSED,
    "noregisteredproviderfound": Reason.API_VERSION_NOT_SERVED,
}
_MOST_POLICIES: Final = 10
_LONGEST_NAME: Final = 200
_QUOTA = re.compile(r"quota", re.IGNORECASE)
_MISSING_GROUP: Final = "resourcegroupnotfound"
_MISSING: Final = "notfound"  # the end of ResourceNotFound, ParentResourceNotFound, KeyNotFound and others
_TRANSIENT_STATUS: Final = frozenset({408, 500, 502, 503, 504})
# Raised before a byte of the request is out: no address, no connection, no TLS, no way through a proxy.
_NEVER_SENT: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    socket.gaierror,
)
# Answers of 400 to 499 that do not show that the request was refused: it timed out, or its client gave up.
_UNCLEAR_STATUS: Final = frozenset({408, 499})


def classify(error: BaseException, source: Source = Source.RESOURCE_MANAGER) -> Failure:
    """Classify an exception of an SDK call. Never raises; never quotes a secret, a request id or a time."""
    if isinstance(error, Refused):
        return error.failure
    try:
        return replace(_classify(error, source), maybe_done=_maybe_done(error, source))
    except Exception as defect:  # an answer that makes even its classification fail
        return _unexpected(defect, source)


def _maybe_done(error: BaseException, source: Source) -> bool:
    """Whether the request may have been executed although no success was answered. Where in doubt, it may."""
    if source is Source.ENTRA or isinstance(error, IdentityUnavailable | ClientAuthenticationError):
        return False  # there was no token, or it was refused: the request itself was never read
    if isinstance(error, HttpResponseError) and error.response is not None:
        return _unclear(error.status_code or 0)
    if _foreign_challenge(error, source):
        return False
    return not isinstance(getattr(error, "inner_exception", None) or error, _NEVER_SENT)


def _unclear(status: int) -> bool:
    # 429 and the other refusals come before anything is done. Answers of 5xx do not. A gateway answers 504 while the
    # service behind it goes on (azure-docs #62448 for this service). A proxy's page proves nothing, with any status.
    return not 400 <= status < 500 or status in _UNCLEAR_STATUS


def _foreign_challenge(error: BaseException, source: Source) -> bool:
    return isinstance(error, ValueError) and source is Source.VAULT and "challenge resource" in str(error).lower()


def _classify(error: BaseException, source: Source) -> Failure:
    if isinstance(error, IdentityUnavailable):
        return Transient(error.unknown.reason, error.unknown.message, error.unknown.retry_after)
    excess = next((cause for cause in _causes(error) if isinstance(cause, AnswerTooLarge | EndlessList)), None)
    if excess is not None:
        return Transient(
            Reason.AZURE_ERROR,
            f"{source} sent an answer that was not read to its end: {excess}. Check for a proxy or a captive "
            "portal between the operator and the service, and check the endpoints of a custom cloud",
        )
    if isinstance(error, HttpResponseError) and error.response is not None:
        return _http(error, source)
    if isinstance(error, ClientAuthenticationError):
        return classify_entra(_message(error), None)
    if isinstance(error, HttpResponseError):  # DecodeError without an answer
        return _unusable(source)
    if isinstance(error, ServiceResponseTimeoutError | TimeoutError | asyncio.TimeoutError):
        return Transient(Reason.AZURE_UNREACHABLE, f"{source} did not answer in time")
    if isinstance(error, ServiceRequestError | ServiceResponseError | aiohttp.ClientError | OSError):
        return _unreachable(error, source)
    if _foreign_challenge(error, source):
        return Denied(
            Reason.VAULT_NOT_ALLOWED,
            with_remedy(
                Reason.VAULT_NOT_ALLOWED,
                "the vault's challenge names a resource that does not match its host; no token was sent",
            ),
            Guard.CLOUD,
        )
    if isinstance(error, AzureError | ValueError | TypeError | KeyError | AttributeError | RecursionError):
        return _unusable(source)
    return _unexpected(error, source)


def _unexpected(error: BaseException, source: Source) -> Failure:
    found = f"unexpected {type(error).__name__} while reading the answer of {source}"
    return Transient(Reason.INTERNAL_ERROR, with_remedy(Reason.INTERNAL_ERROR, found), maybe_done=True)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and what led to it, as far as the SDKs keep it."""
    for _ in range(10):
        if error is None:
            return
        yield error
        inner = getattr(error, "inner_exception", None)
        error = inner if isinstance(inner, BaseException) else error.__cause__ or error.__context__


def _http(error: HttpResponseError, source: Source) -> Failure:
    response = error.response
    status = error.status_code or 0
    headers: Mapping[str, str] = getattr(response, "headers", None) or {}
    try:
        text = response.text() if response is not None else ""
    except Exception:  # body never read, or not text
        text = ""
    if isinstance(error, ClientAuthenticationError) and "AADSTS" in _message(error):
        return classify_entra(_message(error), retry_after(headers) if status == 429 else None, status)
    return classify_answer(status, headers, text, source)


def _message(error: AzureError) -> str:
    return str(error.message)[:LONGEST_MESSAGE]


def classify_answer(status: int, headers: Mapping[str, str], text: str, source: Source) -> Failure:
    """Classify an HTTP answer that is not a success. Never raises."""
    try:
        failure = _answer(status, headers, text, source)
    except Exception as defect:
        return _unexpected(defect, source)
    return replace(failure, maybe_done=source is not Source.ENTRA and _unclear(status))


def _answer(status: int, headers: Mapping[str, str], text: str, source: Source) -> Failure:
    code, message, body = error_body(text)
    if source is Source.ENTRA or "AADSTS" in message:
        return classify_entra(message or code, retry_after(headers), status)
    after = retry_after(headers)
    if status == 429:
        return Transient(Reason.AZURE_THROTTLED, f"{source} is throttling", after)
    if source is Source.VAULT:
        return _vault(status, code, message, body, after)
    return _resource_manager(status, code, message, body, after)


def _resource_manager(status: int, code: str, message: str, body: Mapping[str, Any], after: float | None) -> Failure:
    word, text = code.lower(), clean(message) or f"HTTP {status} without a reason"
    permanent = _PERMANENT_CODES.get(word)
    if _RETIRING.search(message):
        return Permanent(Reason.RETIRED, with_remedy(Reason.RETIRED, text))
    if _KEYS_DISABLED.search(message):
        found = "access keys are disabled for this cache"
        return Permanent(Reason.ACCESS_KEYS_DISABLED, with_remedy(Reason.ACCESS_KEYS_DISABLED, found))
    if word == "missingsubscriptionregistration":
        return Permanent(
            Reason.SUBSCRIPTION_UNAVAILABLE,
            "the subscription is not registered for Microsoft.Cache; run: az provider register -n Microsoft.Cache",
        )
    if word == "namenotavailable":
        # "This may be a temporary issue if a cache instance of this name was recently deleted": slow, not final.
        return Transient(Reason.NAME_TAKEN, with_remedy(Reason.NAME_TAKEN, text), after)
    if word in ("requestdisallowedbypolicy", "requestdisallowedbyazure"):
        return Denied(Reason.DENIED_BY_POLICY, _policy(message, body), Guard.POLICY, code)
    if word in ("scopelocked", "lockedresource"):
        return Denied(Reason.LOCKED, with_remedy(Reason.LOCKED, text), Guard.LOCK, code)
    if word == "linkedauthorizationfailed" or status == 403 or word == "authorizationfailed":
        return _denied(word, code, message, text)
    if permanent is not None:
        return Permanent(permanent, with_remedy(permanent, text))
    if _QUOTA.search(word) or (status in (400, 409) and _QUOTA.search(message)):
        return Permanent(Reason.QUOTA_EXCEEDED, with_remedy(Reason.QUOTA_EXCEEDED, text))
    if word == "invalidauthenticationtokentenant":
        return Denied(
            Reason.TOKEN_REFUSED,
            "the subscription belongs to another tenant than the identity; name an identity of that tenant",
            Guard.TENANT,
            code,
        )
    if status == 401:
        refused = "Azure Resource Manager refused the identity's token"
        return Transient(Reason.TOKEN_REFUSED, with_remedy(Reason.TOKEN_REFUSED, refused), after)
    if status == 404:
        if not word.endswith(_MISSING):
            # A proxy answers so too, and an unknown interface version: neither says that anything is missing.
            return Transient(
                Reason.AZURE_ERROR, "Azure Resource Manager answered 404 and does not say what is missing", after
            )
        what = Missing.GROUP if word == _MISSING_GROUP else Missing.RESOURCE
        return NotFound(Reason.CACHE_NOT_FOUND, text, what)
    if status == 409 or _BUSY.search(message):
        # Busy, a child write during an operation, or maintenance: one management operation at a time.
        return Transient(Reason.BUSY, with_remedy(Reason.BUSY, text), after)
    if status in _TRANSIENT_STATUS or status >= 500:
        return Transient(Reason.AZURE_ERROR, f"Azure Resource Manager answered {status}", after)
    if 400 <= status < 500:
        refused = with_remedy(Reason.REQUEST_REFUSED, text)
        return Permanent(Reason.REQUEST_REFUSED, refused) if code else _unusable(Source.RESOURCE_MANAGER)
    return _unusable(Source.RESOURCE_MANAGER)


def _denied(word: str, code: str, message: str, text: str) -> Failure:
    if word in ("readonlydisabledsubscription", "disabledsubscription"):
        return Permanent(Reason.SUBSCRIPTION_UNAVAILABLE, with_remedy(Reason.SUBSCRIPTION_UNAVAILABLE, text))
    found = _LINKED.search(message) or _ACTION.search(message)
    if found is None:
        return Denied(Reason.AZURE_DENIED, with_remedy(Reason.AZURE_DENIED, text), Guard.ROLE, code)
    action, scope = clean(found.group(1)), found.group(2)
    where = f" on {clean(scope.lower())}" if scope else ""  # a scope can be that of one operation
    also = " (a resource that the request links to)" if word == "linkedauthorizationfailed" else ""
    return Denied(
        Reason.AZURE_DENIED,
        f"the identity lacks the permission {action}{where}{also}; assign a role that holds it"
        f"{roles.such_as(action, scope, message)} (a new assignment takes some minutes to work)",
        Guard.ROLE,
        code,
    )


def _policy(message: str, body: Mapping[str, Any]) -> str:
    names: list[str] = []
    for info in answers.elements(body.get("additionalInfo"))[:_MOST_POLICIES]:
        detail = answers.mapping(answers.mapping(info).get("info"))
        name = answers.text(detail.get("policyAssignmentDisplayName") or detail.get("policyAssignmentName"))
        if name is not None:
            names.append(clean(name[:_LONGEST_NAME]))
    names = names or [clean(name) for name in _POLICY_NAME.findall(message)[:_MOST_POLICIES]]
    if not names:
        return with_remedy(Reason.DENIED_BY_POLICY, clean(message) or "Azure Policy denies the request")
    return f"Azure Policy denies the request: {', '.join(sorted(set(names)))}; ask its owner for an exemption"


def _vault(status: int, code: str, message: str, body: Mapping[str, Any], after: float | None) -> Failure:
    inner = inner_code(body).lower()
    text = clean(message) or f"HTTP {status} without a reason"
    if inner == "secretdisabled":
        found = "the secret's current version is disabled"
        return Denied(
            Reason.VAULT_SECRET_DISABLED, with_remedy(Reason.VAULT_SECRET_DISABLED, found), Guard.POLICY, inner
        )
    if inner == "forbiddenbyfirewall" or (status == 403 and "firewall" in message.lower()):
        return Denied(
            Reason.VAULT_FIREWALL,
            "the vault's firewall refuses the operator's address; allow it, or use a private endpoint",
            Guard.FIREWALL,
            inner,
        )
    if status == 403:
        return Denied(Reason.VAULT_FORBIDDEN, _vault_right(message, inner), Guard.ROLE, inner or code)
    if inner in ("objectisdeletedbutrecoverable", "objectisbeingdeleted") or (status == 409 and "deleted" in message):
        return Permanent(
            Reason.VAULT_SECRET_DELETED,
            "a secret of this name was deleted and is still recoverable, so the name cannot be used; "
            "recover or purge it, or choose another name",
        )
    if status == 404:
        if code.lower() == "vaultnotfound":
            return NotFound(Reason.VAULT_NOT_FOUND, with_remedy(Reason.VAULT_NOT_FOUND, text), Missing.RESOURCE)
        return NotFound(Reason.VAULT_SECRET_NOT_FOUND, "the vault holds no such secret", Missing.SECRET)
    if status == 401:
        if "AKV10032" in message:  # invalid issuer: the vault is of another tenant
            found = with_remedy(Reason.VAULT_OTHER_TENANT, "the vault belongs to another tenant")
            return Denied(Reason.VAULT_OTHER_TENANT, found, Guard.TENANT, "AKV10032")
        refused = "the Key Vault refused the identity's token"
        return Transient(Reason.TOKEN_REFUSED, with_remedy(Reason.TOKEN_REFUSED, refused), after)
    if status == 409:
        return Transient(Reason.BUSY, with_remedy(Reason.BUSY, text), after)
    if status in _TRANSIENT_STATUS or status >= 500:
        return Transient(Reason.AZURE_ERROR, f"the Key Vault answered {status}", after)
    if 400 <= status < 500 and code:
        return Permanent(Reason.REQUEST_REFUSED, with_remedy(Reason.REQUEST_REFUSED, text))
    return _unusable(Source.VAULT)


def _vault_right(message: str, inner: str) -> str:
    """Describe which permission is missing, as far as the vault reports it, and what to do."""
    policy, action = _POLICY_RIGHT.search(message), _DATA_ACTION.search(message)
    right = policy.group(1).lower() if policy is not None else action.group(1) if action is not None else ""
    reads = right.lower().rpartition("secrets")[2].strip(" /") in ("", "get", "list", *_READ_ACTIONS)
    if inner == "forbiddenbypolicy":
        how = "an access policy"
    else:
        how = f"the role Key Vault Secrets {'User' if reads else 'Officer'}"
        # Vaults with roles are reported to answer in the words of access policies too.
        how += "" if reads else " or a custom role that holds it"
        place = _RESOURCE.search(message)
        how += roles.such_as(right, place.group(1) if place else None, message)
    lacks = (
        f"the identity lacks the permission {right} on the secret" if right else "the vault denies the identity access"
    )
    return f"{lacks}; give it {how} (takes some minutes to work)"


def _unusable(source: Source) -> Failure:
    return Transient(
        Reason.AZURE_ERROR, f"the answer is not one that {source} gives (a proxy in between, or a truncated answer)"
    )


def _unreachable(error: BaseException, source: Source) -> Failure:
    inner: BaseException | None = getattr(error, "inner_exception", None) or error
    host = getattr(inner, "host", None)
    where = f"{source} at {host}" if isinstance(host, str) and host else str(source)
    reason = Reason.AZURE_UNREACHABLE
    if isinstance(inner, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
        return Transient(reason, f"the TLS certificate of {where} cannot be verified; is a CA bundle missing?")
    if isinstance(inner, aiohttp.ClientConnectorDNSError | socket.gaierror):
        if source is Source.VAULT:
            found = f"the name of {where} does not resolve: there is no such vault"
            return Transient(Reason.VAULT_NOT_FOUND, with_remedy(Reason.VAULT_NOT_FOUND, found))
        return Transient(reason, f"the name of {where} does not resolve")
    if isinstance(inner, ssl.SSLError | aiohttp.ClientConnectorSSLError):
        return Transient(reason, f"no TLS connection to {where} could be made")
    if isinstance(inner, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError):
        return Transient(reason, f"the proxy to {where} refuses or does not answer")
    if isinstance(inner, aiohttp.ConnectionTimeoutError):
        return Transient(reason, f"no connection to {where} could be made in time")
    os_error = getattr(inner, "os_error", inner)
    if isinstance(os_error, ConnectionRefusedError):
        return Transient(reason, f"{where} refuses connections")
    if isinstance(inner, aiohttp.ClientConnectorError):
        return Transient(reason, f"no connection to {where} could be made")
    if isinstance(inner, aiohttp.ClientPayloadError):
        return _unusable(source)
    return Transient(reason, f"the connection to {where} broke before the answer was complete")
