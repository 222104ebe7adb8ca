"""Every use case asks for a right before it touches anything. New ones are found by themselves."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, get_type_hints

import pytest

import gallery.services
from gallery.domain.access import VISITOR, Right, Role, Viewer, Visibility
from gallery.domain.errors import ForbiddenError
from gallery.domain.idempotency import Claim
from gallery.domain.ids import AlbumId, ImageId, SessionId, ShareLinkId, TagId, TokenId, UploadId
from gallery.domain.images import ContentType
from gallery.domain.shares import ShareLevel
from gallery.domain.uploads import Announcement, Draft
from gallery.services.account_administration import NewAccount
from gallery.services.albums import AlbumChange, NewAlbum
from gallery.services.idempotency import FileChecksum, KeyedRequest, Work
from gallery.services.images import ImageChange
from gallery.services.imports import FileToImport, ImportOptions, Progress
from gallery.services.share_links import NewShareLink, ShareLinkChange
from gallery.services.shares import Person
from gallery.services.tokens import NewToken
from gallery.services.uploads import NewImage
from tests.entities import (
    ADA,
    NOBODY,
    NOON,
    a_claim,
    a_session,
    a_share_link,
    a_staged_upload,
    a_tag,
    a_token,
    an_account,
    an_album,
    an_image,
)
from tests.fakes.gallery import MemoryGallery
from tests.fakes.incoming import MemoryFileToImport, MemoryIncomingFile
from tests.fakes.storage import MemoryMultipartUpload

IMAGE, TAG, ALBUM = an_image(), a_tag(), an_album()
ANNOUNCED = Announcement(filename="harbour.jpg", file_size_bytes=12, content_type=ContentType.JPEG)
UPLOAD = a_staged_upload(announced=ANNOUNCED)
CLAIM = a_claim("key-2")
ACCOUNT = an_account("ada", id=ADA.id)
GUEST = an_account("guest")
TOKEN, _ = a_token(ACCOUNT)
SESSION, _ = a_session(ACCOUNT)
PASSWORD = "correct horse battery"
STRINGS = {
    "change": PASSWORD,
    "disable": "ada",
    "enable": "ada",
    "revoke_by_prefix": TOKEN.prefix,
    "set_password": "administrator",
}
LINK, _ = a_share_link(album_id=ALBUM.id, made_by=ADA.id)

EITHER = (Right.CONTRIBUTE, Right.EDIT)
"""The first is enough for one's own things, the second for all that one sees."""

NEEDED: dict[str, Right | tuple[Right, ...]] = {
    "AccountAdministrationService.all": Right.ADMINISTER,
    "AccountAdministrationService.create": Right.ADMINISTER,
    "AccountAdministrationService.disable": Right.ADMINISTER,
    "AccountAdministrationService.enable": Right.ADMINISTER,
    "AccountAdministrationService.set_password": Right.ADMINISTER,
    "AccountService.own": Right.READ,
    "AlbumService.add_images": Right.CONTRIBUTE,
    "AlbumService.create": Right.CONTRIBUTE,
    "AlbumService.delete": EITHER,
    "AlbumService.remove_images": Right.CONTRIBUTE,
    "AlbumService.update": EITHER,
    "IdempotencyService.complete": Right.CONTRIBUTE,
    "IdempotencyService.once": Right.CONTRIBUTE,
    "IdempotencyService.once_with_file": Right.CONTRIBUTE,
    "ImageService.delete": EITHER,
    "ImageService.set_visibility": Right.CONTRIBUTE,
    "ImageService.update": EITHER,
    "ImportService.run": Right.CONTRIBUTE,
    "ShareService.share": Right.CONTRIBUTE,
    "ShareService.unshare": Right.CONTRIBUTE,
    "PasswordService.change": Right.READ,
    "SessionService.all": Right.ADMINISTER,
    "SessionService.end": Right.READ,
    "SessionService.own": Right.READ,
    "ShareLinkService.create": Right.READ,
    "ShareLinkService.of": Right.READ,
    "ShareLinkService.own": Right.READ,
    "ShareLinkService.revoke": Right.READ,
    "ShareLinkService.update": Right.READ,
    "StagedUploadService.abort": Right.CONTRIBUTE,
    "StagedUploadService.complete": Right.CONTRIBUTE,
    "StagedUploadService.create": Right.CONTRIBUTE,
    "StagedUploadService.find": Right.CONTRIBUTE,
    "StagedUploadService.part_urls": Right.CONTRIBUTE,
    "StagedUploadService.watch": Right.CONTRIBUTE,
    "SweepService.repair": Right.ADMINISTER,
    "SweepService.report": Right.ADMINISTER,
    "TagService.create": Right.CONTRIBUTE,
    "TagService.delete": Right.EDIT,
    "TagService.tag_images": Right.CONTRIBUTE,
    "TagService.untag_images": Right.CONTRIBUTE,
    "TokenService.all": Right.ADMINISTER,
    "TokenService.create": Right.READ,
    "TokenService.create_for_program": Right.ADMINISTER,
    "TokenService.own": Right.READ,
    "TokenService.revoke": Right.READ,
    "TokenService.revoke_by_prefix": Right.ADMINISTER,
    "UploadService.upload": Right.CONTRIBUTE,
}

ALSO_NEEDED = {
    "ShareLinkService.create": Right.CONTRIBUTE,
    "ShareLinkService.of": Right.CONTRIBUTE,
    "ShareLinkService.update": Right.CONTRIBUTE,
}
"""What is needed beside that."""

OF_WHOLE_ACCOUNTS = {"PasswordService.change", "SessionService.end", "TokenService.revoke"}
"""What no token does that may do less than its account, and no stranger."""

OF_THE_GALLERY_ITSELF = {
    "IdempotencyService.settle",
    "RenditionService.delete_objects",
    "RenditionService.give_up",
    "RenditionService.render",
    "StagedUploadService.settle",
    "SweepService.tidy",
    "TokenService.first",
    "UploadService.settle",
}
"""What workers and the server do: nobody asks for it."""


def service_classes() -> Iterator[type]:
    for module_info in pkgutil.iter_modules(gallery.services.__path__, "gallery.services."):
        module = importlib.import_module(module_info.name)
        for name, value in vars(module).items():
            if inspect.isclass(value) and name.endswith("Service") and value.__module__ == module.__name__:
                yield value


def public_methods() -> Iterator[tuple[str, type, str]]:
    for service in service_classes():
        for name, _ in inspect.getmembers(service, inspect.isfunction):
            if not name.startswith("_"):
                yield f"{service.__name__}.{name}", service, name


def needed(service: type, name: str) -> tuple[Right, ...]:
    """The rights of which one is needed."""
    found = NEEDED[f"{service.__name__}.{name}"]
    return (found,) if isinstance(found, Right) else found


def also_needed(service: type, name: str) -> set[Right]:
    """The rights that are needed beside one of those."""
    path = f"{service.__name__}.{name}"
    return {ALSO_NEEDED[path]} if path in ALSO_NEEDED else set()


USE_CASES = [(service, name) for path, service, name in public_methods() if path not in OF_THE_GALLERY_ITSELF]


WHOLE = [(service, name) for service, name in USE_CASES if f"{service.__name__}.{name}" in OF_WHOLE_ACCOUNTS]


def bound(gallery: MemoryGallery, service: type, name: str) -> Any:  # noqa: ANN401  # any use case
    [instance] = [value for value in vars(gallery).values() if type(value) is service]
    return getattr(instance, name)


def arguments(service: type, name: str, file: MemoryIncomingFile) -> dict[str, object]:
    """Good values for every parameter of a use case but the viewer, chosen by type."""
    examples: dict[object, object] = {
        Announcement: ANNOUNCED,
        AlbumChange: AlbumChange(album_id=ALBUM.id, title="Winter"),
        AlbumId: ALBUM.id,
        AlbumId | None: ALBUM.id,
        Claim: CLAIM.completed(IMAGE.id),
        Claim | None: None,
        Draft: Draft(),
        FileChecksum: file_checksum,
        ImageChange: ImageChange(image_id=IMAGE.id, title="Lighthouse"),
        ImageId: IMAGE.id,
        ImageId | None: None,
        ImportOptions: ImportOptions(),
        KeyedRequest: KeyedRequest(key="key-1", operation="createTag", fingerprint="1"),
        NewAccount: NewAccount(name="Bob", role=Role.VIEWER),
        NewAlbum: NewAlbum(title="Winter", image_ids=[IMAGE.id]),
        NewImage: NewImage(file=file),
        NewShareLink: NewShareLink(album_id=ALBUM.id),
        NewToken: NewToken(name="ada"),
        Progress: lambda _: None,
        ShareLinkChange: ShareLinkChange(link_id=LINK.id, label="Winter"),
        ShareLinkId: LINK.id,
        Sequence[FileToImport]: [MemoryFileToImport(file)],
        Sequence[ImageId]: [IMAGE.id],
        Sequence[int]: [1],
        Sequence[str]: ["Sand"],
        SessionId: SESSION.id,
        TagId: TAG.id,
        TokenId: TOKEN.id,
        UploadId: UPLOAD.id,
        Work: nothing,  # and so for what answers a repeat
        bool: False,
        str: STRINGS.get(name, "Sand"),
        timedelta: timedelta(hours=1),
    }
    examples |= {Visibility: Visibility.PUBLIC, Person: Person(name=GUEST.name), ShareLevel: ShareLevel.VIEW}
    hints = get_type_hints(getattr(service, name))
    return {parameter: examples[hint] for parameter, hint in hints.items() if parameter not in {"viewer", "return"}}


async def nothing(_claim: Claim) -> None:
    pass


async def file_checksum() -> str:
    return ""


def full_gallery(gallery: MemoryGallery) -> None:
    """Puts one of everything in it that use cases are about."""
    gallery.holds(IMAGE, TAG, ALBUM)
    gallery.put_tags(IMAGE, TAG)
    gallery.tables.uploads[UPLOAD.id] = UPLOAD
    gallery.tables.accounts |= {ACCOUNT.id: ACCOUNT, GUEST.id: GUEST}
    gallery.tables.tokens[TOKEN.id] = TOKEN
    gallery.tables.sessions[SESSION.id] = SESSION
    gallery.tables.passwords[ACCOUNT.id] = f"1:{PASSWORD}"
    gallery.tables.share_links[LINK.id] = LINK
    gallery.tables.claims[CLAIM.owner, CLAIM.key] = CLAIM
    gallery.storage.multipart_uploads["multipart-1"] = MemoryMultipartUpload(
        storage_path=UPLOAD.storage_path, content_type="image/jpeg", begun_at=NOON, parts={1: b"a photograph"}
    )


def test_every_public_method_of_the_services_is_known_here() -> None:
    assert {path for path, _, _ in public_methods()} == set(NEEDED) | OF_THE_GALLERY_ITSELF


@pytest.mark.parametrize(("service", "name"), USE_CASES)
async def test_a_viewer_without_rights_is_refused_before_anything_is_touched(
    gallery: MemoryGallery, service: type, name: str
) -> None:
    full_gallery(gallery)
    file = MemoryIncomingFile([b"a photograph"])

    with gallery.refuses(ForbiddenError):
        await bound(gallery, service, name)(viewer=NOBODY, **arguments(service, name, file))

    read = (gallery.account_reader.reads, gallery.session_reader.reads, gallery.link_reader.reads)
    assert gallery.database.units_opened == sum(read) == 0
    assert file.chunks_read == 0


@pytest.mark.parametrize(("service", "name"), USE_CASES)
async def test_every_other_right_is_not_enough(gallery: MemoryGallery, service: type, name: str) -> None:
    full_gallery(gallery)
    rights = needed(service, name)
    viewer = Viewer(id=ADA.id, rights=frozenset(Right) - set(rights))

    with gallery.refuses(ForbiddenError) as refusal:
        await bound(gallery, service, name)(viewer=viewer, **arguments(service, name, MemoryIncomingFile([b"a"])))

    assert refusal.value.message == f"You may not do this: the right to {rights[0].value} is missing."


@pytest.mark.parametrize(("service", "name"), [use_case for use_case in USE_CASES if also_needed(*use_case)])
async def test_without_what_is_also_needed_nothing_is_touched(gallery: MemoryGallery, service: type, name: str) -> None:
    full_gallery(gallery)
    [missing] = also_needed(service, name)
    viewer = Viewer(id=ADA.id, rights=frozenset(Right) - {missing})

    with gallery.refuses(ForbiddenError) as refusal:
        await bound(gallery, service, name)(viewer=viewer, **arguments(service, name, MemoryIncomingFile([b"a"])))

    assert refusal.value.message == f"You may not do this: the right to {missing.value} is missing."
    assert gallery.database.units_opened == gallery.link_reader.reads == 0


@pytest.mark.parametrize(
    ("service", "name", "right"), [(*use_case, right) for use_case in USE_CASES for right in needed(*use_case)]
)
async def test_what_is_needed_is_enough(gallery: MemoryGallery, service: type, name: str, right: Right) -> None:
    full_gallery(gallery)
    viewer = Viewer(id=ADA.id, rights=frozenset({right} | also_needed(service, name)))

    await bound(gallery, service, name)(viewer=viewer, **arguments(service, name, MemoryIncomingFile([b"a"])))

    read = (gallery.account_reader.reads, gallery.session_reader.reads, gallery.link_reader.reads)
    assert gallery.database.units_opened + sum(read) > 0


@pytest.mark.parametrize(
    "viewer",
    [VISITOR, Viewer(id=ADA.id, rights=frozenset(Right), is_held=True)],
    ids=["stranger", "token held to less"],
)
@pytest.mark.parametrize(("service", "name"), WHOLE)
async def test_who_has_no_whole_account_does_not_change_it(
    gallery: MemoryGallery, service: type, name: str, viewer: Viewer
) -> None:
    full_gallery(gallery)

    with gallery.refuses(ForbiddenError):
        await bound(gallery, service, name)(viewer=viewer, **arguments(service, name, MemoryIncomingFile([b"a"])))

    assert gallery.database.units_opened == gallery.session_reader.reads == gallery.account_reader.reads == 0


@pytest.mark.parametrize(
    ("service", "name"), [(service, name) for service, name in USE_CASES if (service, name) not in WHOLE]
)
async def test_nothing_else_asks_for_a_whole_account(gallery: MemoryGallery, service: type, name: str) -> None:
    full_gallery(gallery)
    viewer = Viewer(id=ADA.id, rights=frozenset(Right), is_held=True)

    await bound(gallery, service, name)(viewer=viewer, **arguments(service, name, MemoryIncomingFile([b"a"])))
