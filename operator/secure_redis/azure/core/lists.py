"""Walk a list of Azure over its pages. A list that does not end is no list: no part of it is used."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from secure_redis.azure.core.answers import Malformed
from secure_redis.azure.core.failures import Failure

T = TypeVar("T")

# No page length is documented. 100 pages of 100 are 10,000 caches, and 15 days of a busy cache's Activity Log.
MOST_PAGES: Final = 100
MOST_ITEMS: Final = 20_000
_LONGEST_LINK: Final = 8192  # aiohttp, and most servers, take no longer request line


class EndlessList(Malformed):
    """The list has more pages or items than any list here, or a page leads back to an earlier one."""


Page = tuple[Sequence[T], str | None]


async def walk(
    first: str, read: Callable[[str], Awaitable[Page[T] | Failure]], *, most_pages: int = MOST_PAGES
) -> tuple[T, ...] | Failure:
    """Read all items of a list. `read` returns the items of the page at a URL, and the URL of the next page.

    A page that fails, fails the walk: an item that is missing could be the one that matters.

    Raises:
        EndlessList: the list does not end.

    """
    items: list[T] = []
    visited: set[str] = set()
    url: str | None = first
    while url is not None:
        if url in visited:
            raise EndlessList("a page of the list leads back to an earlier page")
        if len(visited) == most_pages:
            raise EndlessList(f"the list has more than {most_pages} pages")
        visited.add(url)
        page = await read(url)
        if isinstance(page, Failure):
            return page
        found, url = page
        items.extend(found)
        if len(items) > MOST_ITEMS:
            raise EndlessList(f"the list has more than {MOST_ITEMS} items")
    return tuple(items)


def next_link(body: Mapping[str, Any]) -> str | None:
    """Return the URL of the next page; None on the last page.

    Raises:
        Malformed: it is no URL, so that it is not known whether the list ends here.

    """
    link = body.get("nextLink")
    if link is None or link == "":
        return None
    if not isinstance(link, str) or len(link) > _LONGEST_LINK:
        raise Malformed("the answer's nextLink is not a URL")
    return link
