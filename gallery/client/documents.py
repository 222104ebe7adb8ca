"""What the client says to a gallery, in GraphQL."""

from __future__ import annotations

_ERRORS = "errors { code message field }"

IMAGES_BY_CHECKSUMS = (
    "query ImagesByChecksums($checksums: [String!]!) { imagesByChecksums(checksums: $checksums) { id } }"
)

UPLOAD = "query Upload($id: ID!) { upload(id: $id) { id state fileSize partSize parts { number size } } }"

PART_URLS = """query PartUrls($id: ID!, $numbers: [Int!]!) {
  upload(id: $id) { partUrls(numbers: $numbers) { url } }
}"""

CREATE_UPLOAD = f"""mutation CreateUpload($input: CreateUploadInput!) {{
  createUpload(input: $input) {{ upload {{ id }} {_ERRORS} }}
}}"""

COMPLETE_UPLOAD = f"""mutation CompleteUpload($input: CompleteUploadInput!) {{
  completeUpload(input: $input) {{ outcome image {{ id }} {_ERRORS} }}
}}"""

UPLOAD_IMAGE = f"""mutation UploadImage($input: UploadImageInput!) {{
  uploadImage(input: $input) {{ outcome image {{ id }} {_ERRORS} }}
}}"""

CREATE_ALBUM = f"""mutation CreateAlbum($input: CreateAlbumInput!) {{
  createAlbum(input: $input) {{ album {{ id }} {_ERRORS} }}
}}"""

TAG_IMAGES = f"""mutation TagImages($input: TagImagesInput!) {{
  tagImages(input: $input) {{ {_ERRORS} }}
}}"""

ADD_IMAGES_TO_ALBUM = f"""mutation AddImagesToAlbum($input: AddImagesToAlbumInput!) {{
  addImagesToAlbum(input: $input) {{ {_ERRORS} }}
}}"""
