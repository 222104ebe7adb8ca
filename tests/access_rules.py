"""Who may have which field of the schema. A field that no rule names fails `integration/test_access_matrix.py`.

A new root field is one line in ROOTS, a new field of a type one word in SHOWN. `$image` and its like stand for
something that is made for the request: see MAKERS in `integration/access_support.py`. `@` stands for the fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gallery.domain.access import Right

Rights = frozenset[Right]

READ: Rights = frozenset({Right.READ})
CONTRIBUTE: Rights = frozenset({Right.CONTRIBUTE})
EDIT: Rights = frozenset({Right.EDIT})
ADMINISTER: Rights = frozenset({Right.ADMINISTER})
ANYBODY = None
"""Strangers too."""

NO_MORE: Rights = frozenset()
NOBODY = None

OK = "OK"
NOTHING = "NOTHING"
"""Null, and no error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A root field: a call of it, and all the rights that it takes.

    `of_others` are the rights that it takes beyond those for what belongs to somebody else; whoever has not got them
    gets `otherwise`. Whoever has all gets `answer`: OK, or the code of an error that has nothing to do with rights.
    """

    call: str
    needs: Rights | None
    of_others: Rights | None = NO_MORE
    otherwise: str = "NOT_FOUND"
    answer: str = OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Fields of a type, a way to them by a root field, and all the rights that they take on this way."""

    type: str
    fields: str
    by: str
    needs: Rights | None


def _root(call: str, needs: Rights | None, of_others: Rights | None = NO_MORE, **more: str) -> Root:
    return Root(call=call, needs=needs, of_others=of_others, **more)


ROOTS: Mapping[str, Root] = {
    "album": _root("album(id: $album)", READ),
    "albums": _root("albums(first: 1)", READ),
    "image": _root("image(id: $image)", READ),
    "imageByChecksum": _root("imageByChecksum(checksum: $checksum)", READ, NOBODY, otherwise=NOTHING),
    "images": _root("images(first: 1)", READ),
    "imagesByChecksums": _root("imagesByChecksums(checksums: [$checksum])", READ, NOBODY, otherwise=NOTHING),
    "node": _root("node(id: $image)", READ),
    "nodes": _root("nodes(ids: [$image, $album])", READ),
    "stats": _root("stats", READ),
    "storageReport": _root("storageReport", READ | ADMINISTER),
    "tag": _root("tag(id: $tag)", READ),
    "tags": _root("tags(first: 1)", READ),
    "upload": _root("upload(id: $upload)", CONTRIBUTE, NOBODY),
    "viewer": _root("viewer", READ),
    "abortUpload": _root("abortUpload(input: {id: $upload})", CONTRIBUTE, NOBODY),
    "addImagesToAlbum": _root("addImagesToAlbum(input: {albumId: $album, imageIds: [$image]})", CONTRIBUTE),
    "completeUpload": _root("completeUpload(input: {id: $upload})", CONTRIBUTE, NOBODY),
    "createAlbum": _root('createAlbum(input: {title: "Summer"})', CONTRIBUTE),
    "createTag": _root("createTag(input: {name: $word})", CONTRIBUTE),
    "createToken": _root('createToken(input: {name: "script"})', READ),
    "createUpload": _root(
        'createUpload(input: {filename: "a.jpg", fileSize: 9, contentType: "image/jpeg"})', CONTRIBUTE
    ),
    "deleteAlbum": _root("deleteAlbum(input: {id: $album})", EDIT),
    "deleteImage": _root("deleteImage(input: {id: $image})", EDIT),
    "deleteTag": _root("deleteTag(input: {id: $tag})", EDIT),
    "removeImagesFromAlbum": _root("removeImagesFromAlbum(input: {albumId: $album, imageIds: [$image]})", CONTRIBUTE),
    "revokeToken": _root("revokeToken(input: {id: $token})", READ, ADMINISTER),
    "tagImages": _root("tagImages(input: {imageIds: [$image], tags: [$word]})", CONTRIBUTE),
    "untagImages": _root("untagImages(input: {imageIds: [$image], tags: [$word]})", CONTRIBUTE),
    "updateAlbum": _root('updateAlbum(input: {id: $album, title: "Winter"})', EDIT),
    "updateImage": _root('updateImage(input: {id: $image, title: "Lighthouse"})', EDIT),
    "uploadImage": _root("uploadImage(input: {file: $file})", CONTRIBUTE),
    "uploadImages": _root("uploadImages(input: {files: [$file]})", CONTRIBUTE),
    "imageProcessed": _root("imageProcessed(id: $image)", READ),
    "uploadProgress": _root("uploadProgress(id: $upload)", CONTRIBUTE, NOBODY),
}

_TAGGED = "tagImages(input: {imageIds: [$image], tags: [$word]})"
_IN_ALBUM = "addImagesToAlbum(input: {albumId: $album, imageIds: [$image]})"


def _shown(type_: str, fields: str, by: str, needs: Rights | None) -> Shown:
    return Shown(type=type_, fields=fields, by=by, needs=needs)


SHOWN = [
    _shown("Node", "id", "node(id: $image) { @ }", READ),
    _shown(
        "Image",
        "id filename originalFilename contentType fileSize checksum width height title description processing "
        "processingError uploadedAt createdAt updatedAt version url thumbnails tags albums",
        "image(id: $image) { @ }",
        READ,
    ),
    _shown(
        "Image",
        "id filename originalFilename contentType fileSize checksum width height title description processing "
        "processingError uploadedAt createdAt updatedAt version url",
        _TAGGED + " { results { image { @ } } }",
        CONTRIBUTE,
    ),
    _shown("Image", "tags albums", _TAGGED + " { results { image { @ } } }", CONTRIBUTE | READ),
    _shown("Thumbnails", "small medium large", "image(id: $image) { thumbnails { @ } }", READ),
    _shown(
        "Thumbnails", "small medium large", _TAGGED + " { results { image { thumbnails { @ } } } }", CONTRIBUTE | READ
    ),
    _shown("Thumbnail", "url width height fileSize", "image(id: $image) { thumbnails { small { @ } } }", READ),
    _shown("ImageConnection", "edges nodes pageInfo totalCount", "images(first: 1) { @ }", READ),
    _shown("ImageEdge", "node cursor", "images(first: 1) { edges { @ } }", READ),
    _shown(
        "PageInfo", "hasNextPage hasPreviousPage startCursor endCursor", "images(first: 1) { pageInfo { @ } }", READ
    ),
    _shown("Tag", "id name createdAt imageCount images", "tag(id: $tag) { @ }", READ),
    _shown("Tag", "id name createdAt", "createTag(input: {name: $word}) { tag { @ } }", CONTRIBUTE),
    _shown("Tag", "imageCount images", "createTag(input: {name: $word}) { tag { @ } }", CONTRIBUTE | READ),
    _shown("TagConnection", "edges nodes pageInfo totalCount", "tags(first: 1) { @ }", READ),
    _shown("TagEdge", "node cursor", "tags(first: 1) { edges { @ } }", READ),
    _shown(
        "Album", "id title description createdAt updatedAt cover imageCount images", "album(id: $album) { @ }", READ
    ),
    _shown("Album", "id title description createdAt updatedAt", _IN_ALBUM + " { album { @ } }", CONTRIBUTE),
    _shown("Album", "cover imageCount images", _IN_ALBUM + " { album { @ } }", CONTRIBUTE | READ),
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
        READ | ADMINISTER,
    ),
    _shown("FindingCount", "kind count", "storageReport { findings { @ } }", READ | ADMINISTER),
    _shown("StorageFinding", "kind what since", "storageReport { examples { @ } }", READ | ADMINISTER),
    _shown("Viewer", "id name kind role scopes rights tokens", "viewer { @ }", READ),
    _shown(
        "ApiToken",
        "id name prefix role scopes createdAt expiresAt revokedAt lastUsedAt",
        "viewer { tokens { @ } }",
        READ,
    ),
    _shown("UserError", "code message field", 'createTag(input: {name: ""}) { errors { @ } }', CONTRIBUTE),
    _shown("BulkImageResult", "id image errors", _TAGGED + " { results { @ } }", CONTRIBUTE),
    _shown("AbortUploadPayload", "id errors", "abortUpload(input: {id: $upload}) { @ }", CONTRIBUTE),
    _shown("AddImagesToAlbumPayload", "album results errors", _IN_ALBUM + " { @ }", CONTRIBUTE),
    _shown("CreateAlbumPayload", "album errors", 'createAlbum(input: {title: "Summer"}) { @ }', CONTRIBUTE),
    _shown("CreateTagPayload", "tag errors", "createTag(input: {name: $word}) { @ }", CONTRIBUTE),
    _shown("CreateTokenPayload", "token secret errors", 'createToken(input: {name: "script"}) { @ }', READ),
    _shown(
        "CreateUploadPayload",
        "upload errors",
        'createUpload(input: {filename: "a.jpg", fileSize: 9, contentType: "image/jpeg"}) { @ }',
        CONTRIBUTE,
    ),
    _shown("DeleteAlbumPayload", "album errors", "deleteAlbum(input: {id: $album}) { @ }", EDIT),
    _shown("DeleteImagePayload", "image errors", "deleteImage(input: {id: $image}) { @ }", EDIT),
    _shown("DeleteTagPayload", "tag errors", "deleteTag(input: {id: $tag}) { @ }", EDIT),
    _shown(
        "RemoveImagesFromAlbumPayload",
        "album results errors",
        "removeImagesFromAlbum(input: {albumId: $album, imageIds: [$image]}) { @ }",
        CONTRIBUTE,
    ),
    _shown("RevokeTokenPayload", "token errors", "revokeToken(input: {id: $token}) { @ }", READ),
    _shown("TagImagesPayload", "results errors", _TAGGED + " { @ }", CONTRIBUTE),
    _shown(
        "UntagImagesPayload",
        "results errors",
        "untagImages(input: {imageIds: [$image], tags: [$word]}) { @ }",
        CONTRIBUTE,
    ),
    _shown("UpdateAlbumPayload", "album errors", 'updateAlbum(input: {id: $album, title: "Winter"}) { @ }', EDIT),
    _shown("UpdateImagePayload", "image errors", 'updateImage(input: {id: $image, title: "Quay"}) { @ }', EDIT),
    _shown("UploadImagePayload", "image outcome errors", "uploadImage(input: {file: $file}) { @ }", CONTRIBUTE),
    _shown("UploadImagesPayload", "results", "uploadImages(input: {files: [$file]}) { @ }", CONTRIBUTE),
]
