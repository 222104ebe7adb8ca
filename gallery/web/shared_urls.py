"""Addresses under share links.

`/shared/<token>` is a page, `/shared/<token>/<id under the link>/<file>` a file of it.
"""

from __future__ import annotations

from typing import Final

from gallery.domain.images import Image
from gallery.domain.records import RenditionRecord
from gallery.domain.share_links import ShareLink
from gallery.services.shared_content import OpenedLink
from gallery.web.paths import SHARED_PAGE_PATH, SHARED_PATH

PROOF: Final = "proof"
"""The parameter that shows that the password was given."""


def page_url(base_url: str, token: str) -> str:
    """Where people see what is shared."""
    return base_url + SHARED_PAGE_PATH.format(token=token)


def gives_originals(link: ShareLink) -> bool:
    """Whether downloads are the files as they were uploaded."""
    return link.allows_download and link.shows_metadata


def original_name(image: Image) -> str:
    """The last part of the address of a file as it was uploaded."""
    return f"original.{image.content_type.extension}"


def rendition_name(rendition: RenditionRecord) -> str:
    """The last part of the address of a thumbnail."""
    return f"{rendition.size}.{rendition.content_type.removeprefix('image/')}"


def shared_url(base_url: str, opened: OpenedLink, shared_id: str, file: str) -> str:
    """Where a file of a link is, for who has given its password, if it has one."""
    path = SHARED_PATH.format(token=opened.token, image=shared_id, file=file)
    return f"{base_url}{path}" if opened.proof is None else f"{base_url}{path}?{PROOF}={opened.proof}"
