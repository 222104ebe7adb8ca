"""Ids of images as a share link tells them: of no use anywhere else, not even under another link to the same image.

An id is the image's own, encrypted as one block by a key of the link: a permutation of all ids, so that it can be read
back and nobody else can make out the image or the time in it.
"""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from gallery.domain.ids import ImageId
from gallery.domain.share_links import ShareLink

_SHAPE: Final = re.compile(r"pic_([0-9a-f]{32})")


class SharedIds:
    """The ids of one link."""

    def __init__(self, link: ShareLink) -> None:
        self._cipher = Cipher(AES(link.key("ids")), ECB())  # noqa: S305  # one block, never two: there is no pattern to see

    def hidden(self, uuid: UUID) -> UUID:
        """The id as the link tells it."""
        encryptor = self._cipher.encryptor()
        return UUID(bytes=encryptor.update(uuid.bytes) + encryptor.finalize())

    def revealed(self, uuid: UUID) -> UUID:
        """The id of which the link tells this one; of something else, it is an id of nothing."""
        decryptor = self._cipher.decryptor()
        return UUID(bytes=decryptor.update(uuid.bytes) + decryptor.finalize())

    def of_image(self, image_id: ImageId) -> str:
        """The global id of an image under the link."""
        return f"pic_{self.hidden(image_id).hex}"

    def image_id(self, text: str) -> ImageId | None:
        """The image with this global id; None if it is none."""
        match = _SHAPE.fullmatch(text)
        return None if match is None else ImageId(self.revealed(UUID(match[1])))
