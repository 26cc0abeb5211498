"""A release's files in a bucket of S3, or of a server that speaks its language.

Who we are, which region and which server is said where boto3 looks: the variables of ``AWS_…``, a profile, the role of
the machine. Files are created with ``If-None-Match: *``, which Amazon has had since 2024 and other servers know.
"""

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from datasets.errors import MaskloopError
from datasets.release.stores import refusals
from datasets.release.stores.stored_files import PORTION_BYTES

_LARGEST_BYTES = 5 << 30
"""What S3 takes in one step."""

_CONNECT_SECONDS, _READ_SECONDS = 10, 60
_REFUSALS: Mapping[str, Callable[[], MaskloopError]] = {
    "NoSuchBucket": refusals.missing,
    "InvalidBucketName": refusals.missing,
    "PermanentRedirect": refusals.missing,
    "AccessDenied": refusals.forbidden,
    "AllAccessDisabled": refusals.forbidden,
    "AccountProblem": refusals.forbidden,
    "InvalidAccessKeyId": refusals.without_credentials,
    "SignatureDoesNotMatch": refusals.without_credentials,
    "ExpiredToken": refusals.without_credentials,
    "InvalidToken": refusals.without_credentials,
    "AuthFailure": refusals.without_credentials,
    "XMinioStorageFull": refusals.full,
    "QuotaExceeded": refusals.full,
    "RequestTimeTooSkewed": refusals.without_credentials,
}
_BY_STATUS: Mapping[int, Callable[[], MaskloopError]] = {
    401: refusals.without_credentials,
    403: refusals.forbidden,
    507: refusals.full,
}
_ABSENT, _TAKEN = 404, 412
_OTHER_WRITES, _FIRST_OF_SERVER = 409, 500


class S3Files:
    """The files of the release below a prefix in a bucket.

    Args:
        place: Bucket and prefix, with a slash between them.
        is_written: Whether files are to be created; reading needs no credentials where a bucket is public.

    Raises:
        RejectedInput: There are no credentials to write with (``store-credentials``).
    """

    most_at_once = 8

    def __init__(self, place: str, *, is_written: bool) -> None:
        self._bucket, _, prefix = place.partition("/")
        self._prefix = f"{prefix.strip('/')}/".lstrip("/")
        self._client = _client(is_written=is_written)

    def sizes(self) -> Mapping[str, int]:
        """The size of each file below the prefix; refused as `refusals` say."""
        with _named():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
            found = [each for page in pages for each in page.get("Contents", ())]
        sizes = {each["Key"].removeprefix(self._prefix): each["Size"] for each in found}
        return {path: size for path, size in sizes.items() if not path.endswith("/") and path}  # folders of consoles

    def read(self, path: str) -> Iterator[bytes]:
        """The file's bytes, in portions; `FileNotFoundError` where it is not there, else refused as `refusals` say."""
        from botocore.exceptions import FlexibleChecksumError

        with _named():
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + path)
                yield from answer["Body"].iter_chunks(PORTION_BYTES)
            except FlexibleChecksumError as error:  # the server gives other bytes than those that it was sent
                raise refusals.file_differs(path) from error

    def create(self, path: str, source: Path, *, sha256: str, media_type: str) -> bool:
        """Writes a new file in one step; False where something is there. The server is told the digest to compare."""
        if source.stat().st_size > _LARGEST_BYTES:
            raise refusals.too_large(path)
        with _named(), source.open("rb") as stream:
            try:
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=self._prefix + path,
                    Body=stream,
                    IfNoneMatch="*",
                    ChecksumAlgorithm="SHA256",
                    ChecksumSHA256=base64.b64encode(bytes.fromhex(sha256)).decode(),
                    ContentType=media_type,
                )
            except self._client.exceptions.ClientError as error:
                if _status(error) == _TAKEN:
                    return False
                raise
        return True

    def replace(self, path: str, content: bytes) -> None:
        """Writes a file, also over what is there; refused as `refusals` say."""
        with _named():
            self._client.put_object(
                Bucket=self._bucket, Key=self._prefix + path, Body=content, ContentType="application/json"
            )


@lru_cache(maxsize=1)
def _loader() -> Any:
    """What S3 understands, which takes ten megabytes: read once, whoever asks; who that is, is looked up each time."""
    from botocore.loaders import create_loader

    return create_loader()


def _client(*, is_written: bool) -> Any:
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError
    from botocore.session import get_session

    try:
        core = get_session()
        core.register_component("data_loader", _loader())
        session = boto3.Session(botocore_session=core)
        is_known = session.get_credentials() is not None
        config = Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            max_pool_connections=S3Files.most_at_once,
            **({} if is_known else {"signature_version": UNSIGNED}),
        )
        client = session.client("s3", config=config)
    except BotoCoreError as error:  # half of the credentials, an unknown profile
        raise refusals.without_credentials() from error
    except ValueError as error:  # a server's address that is none
        raise refusals.missing() from error
    if is_written and not is_known:
        raise refusals.without_credentials()
    return client


@contextmanager
def _named() -> Iterator[None]:
    """Refuses what boto3 says by name, without its words."""
    from botocore import exceptions as said

    try:
        with refusals.named_system_errors():
            yield
    except said.ClientError as error:
        raise _refusal(error) from error
    except (said.NoCredentialsError, said.PartialCredentialsError, said.CredentialRetrievalError) as error:
        raise refusals.without_credentials() from error
    except (said.ConnectionError, said.HTTPClientError, said.IncompleteReadError) as error:
        raise refusals.unreachable() from error
    except said.ParamValidationError as error:  # a bucket's name that cannot be one
        raise refusals.missing() from error
    except said.BotoCoreError as error:
        raise refusals.failed(error) from error


def _refusal(error: Any) -> Exception:
    code, status = error.response.get("Error", {}).get("Code", ""), _status(error)
    if code in _REFUSALS:
        return _REFUSALS[code]()
    if status == _ABSENT:
        return FileNotFoundError()
    if status in _BY_STATUS:
        return _BY_STATUS[status]()
    return refusals.busy() if status >= _FIRST_OF_SERVER or status == _OTHER_WRITES else refusals.failed(error)


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
