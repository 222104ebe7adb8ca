"""Bodies of GraphQL multipart requests, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

BOUNDARY = "----boundary-of-tests"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
END = f"--{BOUNDARY}--\r\n".encode()

UPLOAD = """
mutation ($file: Upload!) {
  uploadImage(input: { file: $file }) { outcome image { fileSize checksum originalFilename } errors { code } }
}
"""
UPLOAD_SEVERAL = """
mutation ($files: [Upload!]!) {
  uploadImages(input: { files: $files }) { results { image { fileSize checksum } errors { code } } }
}
"""


def part(name: str, content: bytes | str, *, filename: str | None = None, disposition: str | None = None) -> bytes:
    """One part with its delimiter before it and its line break behind it."""
    if disposition is None:
        disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename is not None else "")
    data = content.encode() if isinstance(content, str) else content
    return f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + data + b"\r\n"


def operations(query: str = UPLOAD, variables: Mapping[str, object] | None = None, **more: object) -> bytes:
    """The first part; the variables are those of UPLOAD unless others are given."""
    content = {"query": query, "variables": {"file": None} if variables is None else variables, **more}
    return part("operations", json.dumps(content))


def file_map(paths: Mapping[str, Sequence[str]] | None = None) -> bytes:
    """The second part; by default for one file named `0`."""
    return part("map", json.dumps({"0": ["variables.file"]} if paths is None else paths))


def several(count: int) -> bytes:
    """Both first parts of a request with so many files, named `0`, `1` and so on."""
    names = range(count)
    return operations(UPLOAD_SEVERAL, {"files": [None] * count}) + file_map(
        {str(name): [f"variables.files.{name}"] for name in names}
    )
