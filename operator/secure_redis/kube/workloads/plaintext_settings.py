"""Find the hosts that a setting reaches without TLS. Values do not leave this module: they may contain a key."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from secure_redis.domain.assess.connection_secret import PLAINTEXT_PORT
from secure_redis.domain.assess.plaintext import by_variable, names_a_host
from secure_redis.domain.observe.usage import NOTHING, ClearText

_HOST: Final = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+"
_END: Final = r"\.?(?![a-z0-9.@-])"  # behind a host: what is before another @ is part of a password
_URI = re.compile(rf"(?<![a-z])redis://(?:[^@/\s]*@)?({_HOST}){_END}", re.IGNORECASE)
# A password may hold slashes and more @, which a URI should not hold unquoted.
_UNQUOTED = re.compile(rf"(?<![a-z])redis://[^\s,;]{{0,512}}@({_HOST}){_END}", re.IGNORECASE)
_AT_PORT = re.compile(rf"(?<![a-z0-9.-])({_HOST}):{PLAINTEXT_PORT}(?!\d)", re.IGNORECASE)
_NO_SSL = re.compile(r"\b(?:use_?ssl|ssl|tls)\s*[=:]\s*(?:false|0|no|off)\b", re.IGNORECASE)
_WITH_PORT = re.compile(rf"(?<![a-z0-9.-])({_HOST})(?=[:,;\s]|$)", re.IGNORECASE)
_BARE = re.compile(rf"\A(?:{_HOST})\Z", re.IGNORECASE)
_OFF: Final = frozenset({"false", "0", "no", "off"})
_ON: Final = frozenset({"true", "1", "yes", "on"})
_LONGEST: Final = 4096  # characters of a line that are searched; a connection string has a few hundred
LONGEST_TEXT: Final = 256 * 1024  # characters of a text of many lines
_LONGEST_HOST: Final = 253

# A setting of a properties, env, INI, YAML or (written over many lines) JSON file.
_SETTING = re.compile(
    r"\A(?P<indent>[ \t]*(?:-[ \t]+)*)(?P<quote>[\"']?)(?P<key>[\w.-]+)(?P=quote)[ \t]*[=:](?P<value>.*)"
)
_SECTION = re.compile(r"\A\[(?P<name>[^\]]+)\]\s*\Z")
_COMMENTS: Final = ("#", ";", "//")


def plaintext_in(name: str, value: str, *, public: bool = False) -> ClearText:
    """Find what a setting shows about connections without TLS.

    `public`: it is not secret by its kind, so the host that it names may be reported, whatever `name` is. Otherwise the
    host is reported only if `name` shows that the value is a host.
    """
    text = value.strip()
    if "\n" in text or "\r" in text:
        hosts = _in_lines(text[:LONGEST_TEXT])
        return ClearText(tuple(sorted(hosts))) if hosts else NOTHING
    text = text[:_LONGEST]
    bare = (public or names_a_host(name)) and len(text) <= _LONGEST_HOST and _BARE.fullmatch(text) is not None
    found = ClearText(
        hosts=tuple(sorted(_alone(text))),
        host=text.lower() if bare else None,
        plain_port=text == str(PLAINTEXT_PORT),
        off=text.lower() in _OFF,
        on=text.lower() in _ON,
    )
    return NOTHING if found == NOTHING else found


def hosts_without_tls(settings: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return, by setting, the hosts (in lower case) that it reaches without TLS (see `by_variable`)."""
    return by_variable({name: plaintext_in(name, value, public=True) for name, value in settings.items()})


def _alone(text: str) -> set[str]:
    hosts = [*_URI.findall(text), *_UNQUOTED.findall(text), *_AT_PORT.findall(text)]
    if _NO_SSL.search(text):
        hosts += _WITH_PORT.findall(text)
    return {host.lower() for host in hosts}


def _in_lines(text: str) -> set[str]:
    """Find the hosts of a file: named by one line, or by settings of one section or level."""
    found: set[str] = set()
    settings: dict[str, ClearText] = {}
    for path, value in _settings(text, found):
        settings[path] = plaintext_in(path, value, public=True)
    for hosts in by_variable(settings).values():
        found.update(hosts)
    return found


def _settings(text: str, found: set[str]) -> Iterator[tuple[str, str]]:
    """Yield settings with their path of sections and indents; `found` gets the hosts of single lines."""
    above: list[tuple[int, str]] = []
    for number, whole in enumerate(text.splitlines()):
        line = whole.rstrip()[:_LONGEST]
        if not line or line.lstrip().startswith(_COMMENTS):
            continue
        found |= _alone(line)
        if (section := _SECTION.match(line)) is not None:
            above = [(-1, section["name"])]
            continue
        match = _SETTING.match(line)
        if match is None:
            continue
        indent = match["indent"]
        item = indent.find("-")
        column = len(indent)
        start = column if item < 0 else item
        while above and above[-1][0] >= start:
            above.pop()
        if item >= 0:
            above.append((item, str(number)))  # each item of a list is a level of its own
        key, value = match["key"], match["value"].strip(" \t,").strip("\"'")
        yield ".".join((*(name for _, name in above), key)), value
        above.append((column, key))
