"""What people say of an image before it is one."""

from __future__ import annotations

from dataclasses import replace

from gallery.domain.access import Viewer
from gallery.domain.images import clean_title
from gallery.domain.names import clean_description
from gallery.domain.ports import UnitOfWorkFactory
from gallery.domain.uploads import Draft
from gallery.services.sight import album_to_fill
from gallery.services.tags import clean_tag_names


def clean_draft(draft: Draft) -> Draft:
    """The draft with every value as it will be stored.

    Raises:
        InvalidInputError: if a value breaks its rule.
    """
    return replace(
        draft,
        title=None if draft.title is None else clean_title(draft.title),
        description=clean_description(draft.description),
        tag_names=tuple(clean_tag_names(draft.tag_names)),
    )


async def check_album(unit_of_work: UnitOfWorkFactory, viewer: Viewer, draft: Draft) -> None:
    """Finds out before any byte is taken whether the album is there, and takes images of the viewer.

    Raises:
        NotFoundError: if the viewer sees no such album.
        ForbiddenError: if they may not put images into it.
    """
    if draft.album_id is not None:
        async with unit_of_work() as work:
            await album_to_fill(work, viewer, draft.album_id)
