"""The domain's enums as GraphQL enums: here is what each value means, for the reference manual."""

from __future__ import annotations

from enum import EnumMeta

import strawberry

from gallery.domain.access import Right, Role, Scope, Visibility
from gallery.domain.accounts import AccountKind
from gallery.domain.errors import ErrorCode
from gallery.domain.images import ContentType, ProcessingState
from gallery.domain.pages import AlbumSortField, Direction, ImageSortField, TagMode
from gallery.domain.sessions import SignInWay
from gallery.domain.shares import ShareLevel
from gallery.domain.uploads import OnDuplicate, UploadState
from gallery.services.recording import UploadOutcome
from gallery.services.storage_report import FindingKind


def describe(enum: EnumMeta, description: str, values: dict[str, str]) -> None:
    """Makes a domain enum a GraphQL enum. Every member needs a description.

    Raises:
        KeyError: if a member has none.
    """
    strawberry.enum(enum, description=description)
    for value in enum.__strawberry_definition__.values:  # type: ignore[attr-defined]  # set by strawberry.enum
        value.description = values[value.name]


describe(
    ContentType,
    "The formats of images that the gallery takes.",
    {
        "JPEG": "image/jpeg",
        "PNG": "image/png",
        "WEBP": "image/webp",
        "GIF": "image/gif",
        "AVIF": "image/avif",
    },
)
describe(
    ProcessingState,
    "How far the gallery is with the thumbnails of an image.",
    {
        "PENDING": "The thumbnails are being made, or will be as soon as a worker is free.",
        "READY": "The thumbnails are there.",
        "FAILED": "The thumbnails could not be made; `processingError` says why.",
    },
)
describe(
    TagMode,
    "How several tags of a filter go together.",
    {"ANY": "Images that have at least one of the tags.", "ALL": "Images that have all of the tags."},
)
describe(
    ImageSortField,
    "What images can be sorted by.",
    {
        "UPLOADED_AT": "The time of the upload.",
        "TITLE": "The title, without regard to case.",
        "FILE_SIZE": "The size of the file in bytes.",
    },
)
describe(
    AlbumSortField,
    "What albums can be sorted by.",
    {
        "TITLE": "The title, without regard to case.",
        "CREATED_AT": "The time at which the album was made.",
        "UPDATED_AT": "The time of the last change to the album or to what is in it.",
    },
)
describe(
    Direction,
    "Which end of a sorted list comes first.",
    {
        "ASC": "Smallest, oldest or first in the alphabet.",
        "DESC": "Largest, newest or last in the alphabet.",
    },
)
describe(
    UploadOutcome,
    "What became of a file that was taken.",
    {
        "CREATED": "It became a new image.",
        "EXISTING": "You had uploaded the same bytes before: the answer is the image that they became then.",
    },
)
describe(
    FindingKind,
    "What is wrong where the storage and the database do not match, and what `gallery doctor --repair` does about it.",
    {
        "OBJECT_WITHOUT_ROW": "The storage has an object that nothing names. It is removed.",
        "ORIGINAL_LOST": "The file of an image is gone. The image is marked as FAILED; only a backup can help.",
        "ORIGINAL_DAMAGED": "The file of an image has other bytes. It is marked as FAILED; only a backup can help.",
        "RENDITION_LOST": "A thumbnail is gone. It is made again.",
        "RENDITION_DAMAGED": "A thumbnail has other bytes. It is made again.",
        "MULTIPART_UPLOAD_WITHOUT_INTENT": "The storage has parts of an upload that nothing names. They are removed.",
        "STUCK_UPLOAD": "An upload stands still. It is given up.",
        "EXPIRED_UPLOAD": "An upload was not completed in time. It is given up.",
    },
)
describe(
    UploadState,
    "How far an upload is.",
    {
        "OPEN": "Its parts are being sent.",
        "COMPLETED": "It has become an image.",
        "REFUSED": "Its file cannot become an image and was removed. `completeUpload` says why.",
    },
)
describe(
    OnDuplicate,
    "What becomes of a file of which you have an image already, byte for byte the same.",
    {
        "RETURN_EXISTING": "The answer is the image that is there; it gets the tags and the place in the album.",
        "CREATE": "It becomes another image.",
        "REJECT": "It is refused with DUPLICATE_IMAGE.",
    },
)
describe(
    ErrorCode,
    "What went wrong, for programs. New codes may be added; the meaning of a code never changes.",
    {
        "INVALID_ID": "An id is malformed, or belongs to another kind of thing.",
        "INVALID_NAME": "A name or title is empty, longer than 255 characters, or has control characters.",
        "INVALID_DESCRIPTION": "A description is longer than 10,000 characters or has control characters.",
        "INVALID_INPUT": "A value is of the right type but makes no sense here; the message says why.",
        "INVALID_PASSWORD": "A password is wrong, shorter than 12 characters or longer than 1,024.",
        "INVALID_CURSOR": "A cursor is malformed, or belongs to a list with another filter or sort order.",
        "INVALID_PAGE_SIZE": "`first` or `last` is not between 1 and 100, or both are given.",
        "TOO_MANY_ITEMS": "A list in the input has more than 100 items.",
        "TOO_MANY_ATTEMPTS": "There were too many wrong attempts; the message says when to try again.",
        "NOT_FOUND": "There is no such thing, or none that you may see.",
        "FORBIDDEN": "You lack the right to do this.",
        "PASSWORD_REQUIRED": "What is shared wants a password, and got none or a wrong one.",
        "RATE_LIMITED": "There were too many attempts. `extensions.retryAfterSeconds` says when to try again.",
        "TAG_EXISTS": "There is a tag of this name already; names are compared without regard to case.",
        "VERSION_CONFLICT": "The thing has changed since you read it, or is being changed at this moment.",
        "FILE_EMPTY": "The file has no bytes.",
        "FILE_MISSING": "The request names a file that it does not contain.",
        "FILE_TOO_LARGE": "The file has more bytes than the gallery takes.",
        "NOT_AN_IMAGE": "The file is not an image, whatever its name says.",
        "UNSUPPORTED_TYPE": "The file is of a format that the gallery does not take.",
        "TOO_MANY_PIXELS": "The image has more pixels, in all its frames together, than the gallery takes.",
        "IMAGE_TRUNCATED": "The file ends before the image does.",
        "IMAGE_CORRUPT": "The image cannot be decoded.",
        "UPLOAD_INTERRUPTED": "The file did not arrive whole.",
        "UPLOAD_ORDER": "The operation needs the files in another order than the request sends them.",
        "UPLOAD_STALLED": "Nothing of the file arrived for too long.",
        "UPLOAD_INCOMPLETE": "Parts of the file have not arrived yet. Send them, then complete the upload.",
        "UPLOAD_MISMATCH": "The file is not what was announced: its size, type or checksum is another.",
        "TOO_MANY_UPLOADS": "You have more uploads open than the gallery takes at once, by their number or their size.",
        "DUPLICATE_IMAGE": "You have an image of the same bytes already, and asked for no second one.",
        "INVALID_CHECKSUM": "A checksum is no SHA-256 in hexadecimal.",
        "INVALID_IDEMPOTENCY_KEY": "An idempotency key is empty, longer than 255 characters, or not printable ASCII.",
        "IDEMPOTENCY_KEY_REUSED": "The idempotency key was used with another input. Make a new key for a new request.",
        "IDEMPOTENCY_KEY_IN_USE": "An earlier request with this idempotency key is still at work. Repeat it later.",
        "TOO_MANY_IDEMPOTENCY_KEYS": "You have used more idempotency keys lately than the gallery remembers.",
        "SERVICE_UNAVAILABLE": "A service that the gallery needs does not answer. Try again later.",
        "OVERLOADED": "Too many others wait. Nothing was done; send the request again after a second or more.",
    },
)
describe(
    Right,
    "Something that a viewer may do.",
    {
        "READ": "See what is in the gallery.",
        "CONTRIBUTE": "Add images, tags and albums.",
        "EDIT": "Change and delete them.",
        "ADMINISTER": "See how the gallery is, and revoke everybody's tokens.",
    },
)
describe(
    Role,
    "What an account is for. Each role has the rights of those before it as well.",
    {
        "VIEWER": "Sees what is in the gallery.",
        "CONTRIBUTOR": "Adds images, tags and albums.",
        "EDITOR": "Changes and deletes them.",
        "ADMINISTRATOR": "Does everything.",
    },
)
describe(
    Scope,
    "A part of the rights of a role, to which a token can be held.",
    {
        "READ": "See what is in the gallery.",
        "UPLOAD": "Add images, tags and albums, without seeing those of others.",
        "EDIT": "Change and delete them.",
        "ADMIN": "Administer the gallery.",
    },
)
describe(
    SignInWay,
    "How somebody has signed in.",
    {"PASSWORD": "With a name and a password.", "PROVIDER": "On the pages of an identity provider."},
)
describe(
    AccountKind,
    "Who stands behind an account.",
    {"PERSON": "Somebody.", "PROGRAM": "Something that runs by itself."},
)
describe(
    Visibility,
    "Who is shown an image or an album, beside its owner, those with whom it is shared, and administrators.",
    {
        "PRIVATE": "Nobody: to everybody else there is no such thing.",
        "UNLISTED": "Whoever has its id. No list, count or search of others has it, but for those of editors.",
        "PUBLIC": "Everybody who may look into the gallery.",
    },
)
describe(
    ShareLevel,
    "What those with whom an album is shared may do.",
    {
        "VIEW": "See the album, and the images that their owners have put into it, however private these are.",
        "CONTRIBUTE": "The same, and put images of their own into it.",
    },
)
