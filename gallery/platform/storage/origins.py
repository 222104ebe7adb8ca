"""Which web pages may send parts to the bucket from a browser (CORS)."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from gallery.platform.storage.errors import error_code, http_status, translated_errors
from gallery.platform.storage.silence import silence_limit

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client
    from types_aiobotocore_s3.type_defs import CORSRuleOutputTypeDef, CORSRuleUnionTypeDef

_RULE = "gallery-uploads"
_REFUSALS = frozenset({HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.FORBIDDEN})
_REMEMBERED_SECONDS = 3600


class BucketOrigins:
    """The one rule of the bucket that is the gallery's. Rules of others stay as they are."""

    def __init__(self, client: S3Client, bucket: str, *, silence_seconds: float) -> None:
        self._client = client
        self._bucket = bucket
        self._silence_seconds = silence_seconds

    async def allow(self, origins: Sequence[str]) -> bool:
        """Lets pages of these origins PUT parts and read their ETag.

        False if the store has no such rules, or the keys may not read and write them (`s3:GetBucketCORS`,
        `s3:PutBucketCORS`).

        Raises:
            UnavailableError: if the storage does not answer.
        """
        with translated_errors():
            async with silence_limit(self._silence_seconds):
                try:
                    rules: list[CORSRuleUnionTypeDef] = [
                        rule for rule in await self._rules() if rule.get("ID") != _RULE
                    ]
                    await self._client.put_bucket_cors(
                        Bucket=self._bucket, CORSConfiguration={"CORSRules": [*rules, _rule(origins)]}
                    )
                except ClientError as error:
                    if http_status(error) not in _REFUSALS:
                        raise
                    return False
        return True

    async def _rules(self) -> Sequence[CORSRuleOutputTypeDef]:
        try:
            answer = await self._client.get_bucket_cors(Bucket=self._bucket)
        except ClientError as error:
            if error_code(error) != "NoSuchCORSConfiguration":
                raise
            return ()
        return answer["CORSRules"]


def _rule(origins: Sequence[str]) -> CORSRuleUnionTypeDef:
    return {
        "ID": _RULE,
        "AllowedOrigins": list(origins),
        "AllowedMethods": ["PUT"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": _REMEMBERED_SECONDS,
    }
