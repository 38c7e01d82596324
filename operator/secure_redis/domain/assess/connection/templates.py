"""Check and render the text of an entry. Only shapes that are known to connect with TLS are accepted.

A template is one of three shapes. Each shape lists what may occur, not what may not: clients know more options that
weaken TLS than any list could name. The schema contains the same expressions (`ACCEPTED`).
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

FIELDS: Final = ("host", "port", "username", "password", "database")
LONGEST_TEMPLATE: Final = 512

_NUMBER: Final = "[0-9]{1,6}(ms|s|m)?"
_WORD: Final = "[A-Za-z0-9_.-]{1,64}"
_DATABASE: Final = r"([{]database[}]|[0-9]{1,2})"
_LIMITS: Final = (
    "timeout|socket_timeout|socket_connect_timeout|connect_timeout|dial_timeout|read_timeout|write_timeout|"
    "read_write_timeout|health_check_interval|max_connections|max_retries|pool_size|protocol"
)
_URI_OPTION: Final = (
    "("
    "ssl_cert_reqs=(required|CERT_REQUIRED)|ssl_check_hostname=true|verifyPeer=FULL|(tls|ssl)=true|"
    r"(password|auth)=[{]password[}]|(username|user)=[{]username[}]|"
    f"(database|db)={_DATABASE}|({_LIMITS})={_NUMBER}|(client_name|prefix)={_WORD}"
    ")"
)
_OPTION: Final = (
    "("
    r"password=[{]password[}]|user=[{]username[}]|"
    f"defaultDatabase={_DATABASE}|abortConnect=([Tt]rue|[Ff]alse)|sslProtocols=(tls12|tls13)|"
    f"(connectTimeout|syncTimeout|asyncTimeout|connectRetry|keepAlive)=[0-9]{{1,6}}|(name|channelPrefix)={_WORD}"
    ")"
)
_FIELD: Final = r"[{](host|port|username|password|database)[}]"

# A URI of a scheme that clients open with TLS, at the cache's own host and port.
URI: Final = (
    r"(rediss|valkeys|tls)://((([{]username[}]|default)?:)?[{]password[}]@)?[{]host[}]:[{]port[}]"
    rf"(/{_DATABASE}?)?([?&]{_URI_OPTION})*"
)
# The options of StackExchange.Redis, with TLS switched on.
OPTIONS: Final = rf"[{{]host[}}]:[{{]port[}}](,password=[{{]password[}}])?,ssl=[Tt]rue(,{_OPTION})*"
# Fields and separators only: no word, so no option.
PLAIN: Final = rf"[ ,;:|/@]*({_FIELD}[ ,;:|/@]*)+"
ACCEPTED: Final = f"^({URI}|{OPTIONS}|{PLAIN})$"

_ACCEPTED = re.compile(ACCEPTED, re.ASCII)
_EACH_FIELD = re.compile(_FIELD)
# The fields that a URI cannot contain as they are.
_SECRET_FIELDS: Final = ("username", "password")


def accepted(template: str) -> bool:
    """Whether a template has one of the three shapes."""
    return len(template) <= LONGEST_TEMPLATE and _ACCEPTED.fullmatch(template) is not None


def render(template: str, fields: Mapping[str, str]) -> str:
    """Put the fields into a template: percent-encoded in a URI, as they are elsewhere."""
    if "://" in template:
        # quote() with no safe characters: keys are base64 and contain "/", "+" and "=".
        fields = {**fields, **{name: quote(fields[name], safe="") for name in _SECRET_FIELDS}}
    return _EACH_FIELD.sub(lambda found: fields[found[1]], template)
