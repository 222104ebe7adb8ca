"""Who may have which field of the schema. A field that no rule names fails `integration/test_access_matrix.py`.

A new root field is one line in ROOTS, a new field of a type one word in SHOWN. `$image` and its like stand for
something that is made for the request: see MAKERS in `integration/access_support.py`. `@` stands for the fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from gallery.domain.access import Right

Rights = frozenset[str]
"""Rights, and what somebody has who has an account: visitors, whom the gallery does not know, may have rights too."""
Need = tuple[Rights, ...]
"""Any of these is enough."""

HAS_ACCOUNT = "account"
HAS_ALL_OF_ACCOUNT = "all of the account"
ACCOUNT: Need = (frozenset({HAS_ACCOUNT}),)
ALL_OF_ACCOUNT: Need = (frozenset({HAS_ALL_OF_ACCOUNT}),)
"""No token that may do less than its account."""
READ: Need = (frozenset({Right.READ}),)
CONTRIBUTE: Need = (frozenset({Right.CONTRIBUTE}),)
EDIT: Need = (frozenset({Right.EDIT}),)
ADMINISTER: Need = (frozenset({Right.ADMINISTER}),)
CHANGE: Need = CONTRIBUTE + EDIT
"""The one for one's own things, the other for those of others."""
NO_MORE: Need = (frozenset(),)
NOBODY: Need = ()
ANYBODY = None
"""Strangers too."""

OK = "OK"
NOTHING = "NOTHING"
"""Null, and no error."""
FORBIDDEN = "FORBIDDEN"
NOT_FOUND = "NOT_FOUND"


def both(one: Need, other: Need) -> Need:
    """What takes the one and the other."""
    return tuple(first | second for first, second in product(one, other))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What more it takes, and what those get who have not got it."""

    needs: Need = NO_MORE
    otherwise: str = FORBIDDEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A root field: a call of it, and what it takes whatever it is about.

    What it takes beyond that depends on whose the things are. `public` are those of others that everybody sees, and
    `private` those that nobody is shown: whoever passes there must pass `public` as well.
    """

    call: str
    needs: Need | None
    own: Step = Step()
    public: Step = Step()
    private: Step = Step()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Fields of a type, a way to them by a root field, and what they take on this way, `own` beyond `needs`."""

    type: str
    fields: str
    by: str
    needs: Need | None
    own: Step = Step()


def _root(call: str, needs: Need | None, own: Step = Step()) -> Root:
    """A call that is about nobody's things, or about everybody's alike."""
    return Root(call=call, needs=needs, own=own)


def _seen(call: str, needs: Need, *, change: Step = Step(), hidden: str = NOT_FOUND) -> Root:
    """A call about what has a visibility. `change` is the step for what others have made and everybody sees."""
    return Root(call=call, needs=needs, public=change, private=Step(needs=ADMINISTER, otherwise=hidden))


def _own(call: str, needs: Need, others: Need = NOBODY, *, otherwise: str = NOT_FOUND) -> Root:
    """A call about what is nobody else's business."""
    step = Step(needs=others, otherwise=otherwise)
    return Root(call=call, needs=needs, public=step, private=step)


SHARE = both(READ, CONTRIBUTE)
"""For links: whoever has one looks through it."""

EDITORS = Step(needs=EDIT)
OWNERS = Step(needs=ADMINISTER)

ROOTS: Mapping[str, Root] = {
    "album": _seen("album(id: $album)", READ),
    "albums": _root("albums(first: 1)", READ),
    "image": _seen("image(id: $image)", READ),
    "imageByChecksum": _own("imageByChecksum(checksum: $checksum)", READ, otherwise=NOTHING),
    "images": _root("images(first: 1)", READ),
    "imagesByChecksums": _own("imagesByChecksums(checksums: [$checksum])", READ, otherwise=NOTHING),
    "node": _seen("node(id: $image)", READ),
    "nodes": _seen("nodes(ids: [$image, $album])", READ),
    "shareLinks": _seen("shareLinks(albumId: $album)", SHARE, change=OWNERS),
    "sharedLink": _root("sharedLink(token: $key)", ANYBODY),
    "stats": _root("stats", READ),
    "storageReport": _root("storageReport", both(READ, ADMINISTER)),
    "tag": _seen("tag(id: $tag)", READ),
    "tags": _root("tags(first: 1)", READ),
    "upload": _own("upload(id: $upload)", CONTRIBUTE),
    "viewer": _root("viewer", both(READ, ACCOUNT)),
    "abortUpload": _own("abortUpload(input: {id: $upload})", CONTRIBUTE),
    "addImagesToAlbum": _seen(
        "addImagesToAlbum(input: {albumId: $album, imageIds: [$image]})", CONTRIBUTE, change=EDITORS
    ),
    "completeUpload": _own("completeUpload(input: {id: $upload})", CONTRIBUTE),
    "createAlbum": _root('createAlbum(input: {title: "Summer"})', CONTRIBUTE),
    "createShareLink": _seen("createShareLink(input: {albumId: $album})", SHARE, change=OWNERS),
    "createTag": _root("createTag(input: {name: $word})", CONTRIBUTE),
    "createToken": _root('createToken(input: {name: "script"})', READ, Step(needs=ACCOUNT, otherwise=NOT_FOUND)),
    "createUpload": _root(
        'createUpload(input: {filename: "a.jpg", fileSize: 9, contentType: "image/jpeg"})', CONTRIBUTE
    ),
    "deleteAlbum": _seen("deleteAlbum(input: {id: $album})", CHANGE, change=EDITORS),
    "deleteImage": _seen("deleteImage(input: {id: $image})", CHANGE, change=EDITORS),
    "deleteTag": _seen("deleteTag(input: {id: $tag})", EDIT),
    "endSession": _own("endSession(input: {id: $session})", ALL_OF_ACCOUNT, ADMINISTER),
    "removeImagesFromAlbum": _seen(
        "removeImagesFromAlbum(input: {albumId: $album, imageIds: [$image]})", CONTRIBUTE, change=EDITORS
    ),
    "revokeShareLink": _own("revokeShareLink(input: {id: $link})", READ, both(CONTRIBUTE, ADMINISTER)),
    "revokeToken": _own("revokeToken(input: {id: $token})", ALL_OF_ACCOUNT, ADMINISTER),
    "setPassword": _root('setPassword(input: {old: $password, new: "as long as this"})', ALL_OF_ACCOUNT),
    "setVisibility": _seen("setVisibility(input: {imageIds: [$image], visibility: PUBLIC})", CONTRIBUTE, change=OWNERS),
    "shareAlbum": _seen("shareAlbum(input: {albumId: $album, accountName: $person})", CONTRIBUTE, change=OWNERS),
    "tagImages": _seen("tagImages(input: {imageIds: [$image], tags: [$word]})", CONTRIBUTE, change=EDITORS),
    "unshareAlbum": _seen("unshareAlbum(input: {albumId: $album, accountName: $person})", CONTRIBUTE, change=OWNERS),
    "untagImages": _seen("untagImages(input: {imageIds: [$image], tags: [$word]})", CONTRIBUTE, change=EDITORS),
    "updateAlbum": _seen('updateAlbum(input: {id: $album, title: "Winter"})', CHANGE, change=EDITORS),
    "updateImage": _seen('updateImage(input: {id: $image, title: "Lighthouse"})', CHANGE, change=EDITORS),
    "updateShareLink": _own('updateShareLink(input: {id: $link, label: "Family"})', SHARE, ADMINISTER),
    "uploadImage": _root("uploadImage(input: {file: $file})", CONTRIBUTE),
    "uploadImages": _root("uploadImages(input: {files: [$file]})", CONTRIBUTE),
    "imageProcessed": _seen("imageProcessed(id: $image)", READ),
    "uploadProgress": _own("uploadProgress(id: $upload)", CONTRIBUTE),
}

_TAGGED = "tagImages(input: {imageIds: [$image], tags: [$word]})"
_IN_ALBUM = "addImagesToAlbum(input: {albumId: $album, imageIds: [$image]})"
_SHARED = "shareAlbum(input: {albumId: $album, accountName: $person})"
_LINKED = "createShareLink(input: {albumId: $album})"
_OPENED = "sharedLink(token: $key)"
_RELABELLED = 'updateShareLink(input: {id: $link, label: "Family"}) { @ }'
_TAKEN_BACK = "revokeShareLink(input: {id: $link}) { @ }"
_ISSUED = 'createToken(input: {name: "script"}) { @ }'
_REVOKED = "revokeToken(input: {id: $token}) { @ }"


def _shown(type_: str, fields: str, by: str, needs: Need | None, own: Step = Step()) -> Shown:
    return Shown(type=type_, fields=fields, by=by, needs=needs, own=own)


SHOWN = [
    _shown("Node", "id", "node(id: $image) { @ }", READ),
    _shown(
        "Image",
        "id filename originalFilename contentType fileSize checksum width height title description processing "
        "processingError uploadedAt createdAt updatedAt version visibility url thumbnails tags albums",
        "image(id: $image) { @ }",
        READ,
    ),
    _shown(
        "Image",
        "id filename originalFilename contentType fileSize checksum width height title description processing "
        "processingError uploadedAt createdAt updatedAt version visibility url",
        _TAGGED + " { results { image { @ } } }",
        CONTRIBUTE,
    ),
    _shown("Image", "tags albums", _TAGGED + " { results { image { @ } } }", both(CONTRIBUTE, READ)),
    _shown("Thumbnails", "small medium large", "image(id: $image) { thumbnails { @ } }", READ),
    _shown(
        "Thumbnails",
        "small medium large",
        _TAGGED + " { results { image { thumbnails { @ } } } }",
        both(CONTRIBUTE, READ),
    ),
    _shown("Thumbnail", "url width height fileSize", "image(id: $image) { thumbnails { small { @ } } }", READ),
    _shown("ImageConnection", "edges nodes pageInfo totalCount", "images(first: 1) { @ }", READ),
    _shown("ImageEdge", "node cursor", "images(first: 1) { edges { @ } }", READ),
    _shown(
        "PageInfo", "hasNextPage hasPreviousPage startCursor endCursor", "images(first: 1) { pageInfo { @ } }", READ
    ),
    _shown("Tag", "id name createdAt imageCount images", "tag(id: $tag) { @ }", READ),
    _shown("Tag", "id name createdAt", "createTag(input: {name: $word}) { tag { @ } }", CONTRIBUTE),
    _shown("Tag", "imageCount images", "createTag(input: {name: $word}) { tag { @ } }", both(CONTRIBUTE, READ)),
    _shown("TagConnection", "edges nodes pageInfo totalCount", "tags(first: 1) { @ }", READ),
    _shown("TagEdge", "node cursor", "tags(first: 1) { edges { @ } }", READ),
    _shown(
        "Album",
        "id title description createdAt updatedAt visibility cover imageCount images shares",
        "album(id: $album) { @ }",
        READ,
    ),
    _shown("Album", "id title description createdAt updatedAt visibility", _IN_ALBUM + " { album { @ } }", CONTRIBUTE),
    _shown("Album", "cover imageCount images shares", _IN_ALBUM + " { album { @ } }", both(CONTRIBUTE, READ)),
    _shown(
        "AlbumShare",
        "accountId accountName level sharedAt",
        "album(id: $album) { shares { @ } }",
        READ,
        Step(needs=ACCOUNT, otherwise=OK),
    ),
    _shown("AlbumConnection", "edges nodes pageInfo totalCount", "albums(first: 1) { @ }", READ),
    _shown("AlbumEdge", "node cursor", "albums(first: 1) { edges { @ } }", READ),
    _shown(
        "StagedUpload",
        "id state filename fileSize contentType partSize partCount expiresAt parts partUrls image",
        "upload(id: $upload) { @ }",
        CONTRIBUTE,
    ),
    _shown("UploadPart", "number size", "upload(id: $upload) { parts { @ } }", CONTRIBUTE),
    _shown(
        "UploadPartUrl",
        "number url firstByte size expiresAt",
        "upload(id: $upload) { partUrls(numbers: [1]) { @ } }",
        CONTRIBUTE,
    ),
    _shown("UploadProgress", "receivedBytes totalBytes done", "uploadProgress(id: $upload) { @ }", CONTRIBUTE),
    _shown("Stats", "imageCount tagCount albumCount totalSize contentTypes", "stats { @ }", READ),
    _shown("ContentTypeStats", "contentType imageCount totalSize", "stats { contentTypes { @ } }", READ),
    _shown(
        "StorageReport",
        "checkedAt objectCount totalSize findings examples heldJobCount",
        "storageReport { @ }",
        both(READ, ADMINISTER),
    ),
    _shown("FindingCount", "kind count", "storageReport { findings { @ } }", both(READ, ADMINISTER)),
    _shown("StorageFinding", "kind what since", "storageReport { examples { @ } }", both(READ, ADMINISTER)),
    _shown("Viewer", "id name kind role scopes rights tokens sessions", "viewer { @ }", both(READ, ACCOUNT)),
    _shown(
        "Session",
        "id way createdAt expiresAt lastUsedAt isCurrent",
        "viewer { sessions { @ } }",
        both(READ, ACCOUNT),
    ),
    _shown(
        "ApiToken",
        "id name prefix role scopes createdAt expiresAt revokedAt lastUsedAt",
        "viewer { tokens { @ } }",
        both(READ, ACCOUNT),
    ),
    _shown(
        "ShareLink",
        "id albumId imageId label allowDownload showMetadata hasPassword createdAt expiresAt revokedAt openCount "
        "lastOpenedAt",
        "shareLinks(albumId: $album) { @ }",
        SHARE,
    ),
    _shown("SharedContent", "title description expiresAt downloadAllowed images", _OPENED + " { @ }", ANYBODY),
    _shown("PublicImageConnection", "edges nodes pageInfo totalCount", _OPENED + " { images { @ } }", ANYBODY),
    _shown("PublicImageEdge", "node cursor", _OPENED + " { images { edges { @ } } }", ANYBODY),
    _shown(
        "PageInfo",
        "hasNextPage hasPreviousPage startCursor endCursor",
        _OPENED + " { images { pageInfo { @ } } }",
        ANYBODY,
    ),
    _shown(
        "PublicImage",
        "id title description width height thumbnails url contentType fileSize uploadedAt",
        _OPENED + " { images { nodes { @ } } }",
        ANYBODY,
    ),
    _shown("PublicThumbnails", "small medium large", _OPENED + " { images { nodes { thumbnails { @ } } } }", ANYBODY),
    _shown(
        "PublicThumbnail",
        "url width height",
        _OPENED + " { images { nodes { thumbnails { small { @ } } } } }",
        ANYBODY,
    ),
    _shown("UserError", "code message field", 'createTag(input: {name: ""}) { errors { @ } }', CONTRIBUTE),
    _shown("BulkImageResult", "id image errors", _TAGGED + " { results { @ } }", CONTRIBUTE),
    _shown("AbortUploadPayload", "id errors", "abortUpload(input: {id: $upload}) { @ }", CONTRIBUTE),
    _shown("AddImagesToAlbumPayload", "album results errors", _IN_ALBUM + " { @ }", CONTRIBUTE),
    _shown("CreateAlbumPayload", "album errors", 'createAlbum(input: {title: "Summer"}) { @ }', CONTRIBUTE),
    _shown("CreateTagPayload", "tag errors", "createTag(input: {name: $word}) { @ }", CONTRIBUTE),
    _shown("CreateTokenPayload", "token secret", _ISSUED, READ, Step(needs=ACCOUNT, otherwise=OK)),
    _shown("CreateTokenPayload", "errors", _ISSUED, READ),
    _shown(
        "CreateUploadPayload",
        "upload errors",
        'createUpload(input: {filename: "a.jpg", fileSize: 9, contentType: "image/jpeg"}) { @ }',
        CONTRIBUTE,
    ),
    _shown("DeleteAlbumPayload", "album errors", "deleteAlbum(input: {id: $album}) { @ }", CHANGE),
    _shown("DeleteImagePayload", "image errors", "deleteImage(input: {id: $image}) { @ }", CHANGE),
    _shown("DeleteTagPayload", "tag errors", "deleteTag(input: {id: $tag}) { @ }", EDIT),
    _shown(
        "RemoveImagesFromAlbumPayload",
        "album results errors",
        "removeImagesFromAlbum(input: {albumId: $album, imageIds: [$image]}) { @ }",
        CONTRIBUTE,
    ),
    _shown("RevokeTokenPayload", "token", _REVOKED, ALL_OF_ACCOUNT, Step(needs=ACCOUNT, otherwise=OK)),
    _shown("RevokeTokenPayload", "errors", _REVOKED, ALL_OF_ACCOUNT),
    _shown("CreateShareLinkPayload", "shareLink token url errors", _LINKED + " { @ }", SHARE),
    _shown("EndSessionPayload", "errors", "endSession(input: {id: $session}) { @ }", ALL_OF_ACCOUNT),
    _shown("RevokeShareLinkPayload", "shareLink", _TAKEN_BACK, READ, Step(needs=ACCOUNT, otherwise=OK)),
    _shown("RevokeShareLinkPayload", "errors", _TAKEN_BACK, READ),
    _shown(
        "SetPasswordPayload",
        "errors",
        'setPassword(input: {old: $password, new: "as long as this"}) { @ }',
        ALL_OF_ACCOUNT,
    ),
    _shown(
        "SetVisibilityPayload",
        "results errors",
        "setVisibility(input: {imageIds: [$image], visibility: PUBLIC}) { @ }",
        CONTRIBUTE,
    ),
    _shown("ShareAlbumPayload", "album errors", _SHARED + " { @ }", CONTRIBUTE),
    _shown("TagImagesPayload", "results errors", _TAGGED + " { @ }", CONTRIBUTE),
    _shown(
        "UnshareAlbumPayload",
        "album errors",
        "unshareAlbum(input: {albumId: $album, accountName: $person}) { @ }",
        CONTRIBUTE,
    ),
    _shown(
        "UntagImagesPayload",
        "results errors",
        "untagImages(input: {imageIds: [$image], tags: [$word]}) { @ }",
        CONTRIBUTE,
    ),
    _shown("UpdateAlbumPayload", "album errors", 'updateAlbum(input: {id: $album, title: "Winter"}) { @ }', CHANGE),
    _shown("UpdateImagePayload", "image errors", 'updateImage(input: {id: $image, title: "Quay"}) { @ }', CHANGE),
    _shown("UpdateShareLinkPayload", "shareLink errors", _RELABELLED, SHARE),
    _shown("UploadImagePayload", "image outcome errors", "uploadImage(input: {file: $file}) { @ }", CONTRIBUTE),
    _shown("UploadImagesPayload", "results", "uploadImages(input: {files: [$file]}) { @ }", CONTRIBUTE),
]
