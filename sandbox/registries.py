"""Handles a package registry that does not answer, or refuses: a time-out is tried again, a refusal is final."""

import re
from collections.abc import Callable
from typing import Final, TypeVar

from sandbox.cache import progress

_ATTEMPTS = 3
# A status follows a space. The line numbers of a compiler are between colons.
_NO_ANSWER = re.compile(
    r"tim(?:ed?|ing)[ -]?out|deadline exceeded|connection reset|unexpected EOF|(?<=\s)50[234]\b", re.I
)
_REFUSED = re.compile(
    r"(?<=\s)4(?:0[1347]|10)\b|connection refused|no such host|(?:not|failure) resolv|name resolution"
    r"|no matching distribution|certificate",
    re.I,
)
_T = TypeVar("_T")

GO: Final = (
    "The Go module proxy did not serve a module. Name one that this machine may use with `go env -w GOPROXY=…` or the "
    "variable GOPROXY. Without a proxy, set KUBEBUILDER_ASSETS to a directory with etcd and kube-apiserver."
)
PYPI: Final = (
    "The Python package index did not serve a package. Name one that this machine may use with "
    "`pip config set global.index-url …` or the variable PIP_INDEX_URL."
)
DEBIAN: Final = (
    "The package archive did not serve a package. Configure apt for one that this machine may use, or install the "
    "package yourself."
)


def way_out(text: str, advice: str) -> str:
    """Return an error output, with the advice at its end if a registry is the reason."""
    return f"{text}\n{advice}" if _NO_ANSWER.search(text) or _REFUSED.search(text) else text


def again(fetch: Callable[[], _T], failure: type[Exception], registry: str) -> _T:
    """Call `fetch`, and again if the text of its `failure` is a time-out. A refusal is final."""
    for attempt in range(1, _ATTEMPTS):
        try:
            return fetch()
        except failure as error:
            if not _NO_ANSWER.search(str(error)):
                raise
        progress(f"{registry} did not answer in time: attempt {attempt + 1} of {_ATTEMPTS}")
    return fetch()
