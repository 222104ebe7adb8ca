"""The `map` of a multipart request: which file stands where in the variables."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NoReturn

from gallery.web.errors import RequestCode, RequestError
from gallery.web.multipart.upload import IncomingUpload

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)


def place_uploads(
    operations: dict[str, Any], file_map: object, new_upload: Callable[[], IncomingUpload], *, max_files: int
) -> dict[str, IncomingUpload]:
    """Puts an upload wherever the map says, in place of null; answers with the uploads by the names of their parts.

    Paths are followed through JSON objects and arrays alone, never through attributes of Python's objects.

    Raises:
        RequestError: INVALID_MAP, or TOO_MANY_FILES.
    """
    if not isinstance(file_map, dict):
        _refuse("`map` is not a JSON object. Send the paths of each file by the name of its part.")
    if len(file_map) > max_files:
        message = f"The request has {len(file_map):,} files; at most {max_files:,} are taken at once."
        raise RequestError(RequestCode.TOO_MANY_FILES, message, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    uploads: dict[str, IncomingUpload] = {}
    for name, paths in file_map.items():
        upload = uploads[name] = new_upload()
        for path in _checked_paths(name, paths):
            _place(operations, path, upload)
    return uploads


def _checked_paths(name: str, paths: object) -> list[str]:
    if not isinstance(paths, list) or not paths or not all(isinstance(path, str) for path in paths):
        _refuse(f'`map` holds no list of paths for "{name}". Send one such as ["variables.file"].')
    return paths


def _place(operations: dict[str, Any], path: str, upload: IncomingUpload) -> None:
    root, *steps = path.split(".")
    if root != "variables" or not steps:
        _refuse(f'The path "{path}" in `map` does not lead into `variables`.')
    container: object = operations
    for step in (root, *steps[:-1]):
        container = _child(container, step, path)
    if _child(container, steps[-1], path) is not None:
        _refuse(f'The path "{path}" in `map` does not lead to null, which stands for a file.')
    if isinstance(container, list):
        container[int(steps[-1])] = upload
    elif isinstance(container, dict):
        container[steps[-1]] = upload


def _child(container: object, step: str, path: str) -> object:
    if isinstance(container, dict) and step in container:
        return container[step]
    if isinstance(container, list) and _INDEX.fullmatch(step) and int(step) < len(container):
        return container[int(step)]
    message = f'The path "{path}" in `map` leads nowhere: there is no "{step}".'
    raise RequestError(RequestCode.INVALID_MAP, message)


def _refuse(message: str) -> NoReturn:
    raise RequestError(RequestCode.INVALID_MAP, message)
