"""A server of S3 (moto's) on this machine, in a process of its own; some buckets of it behave badly, each in one way.

One request is answered after the other, so that a conditional write is one step, as it is with Amazon.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO

BUCKETS = ("sound", "top", "forgetful", "damaging", "denied", "busy", "full")
"""The last five write over what is there, flip a bit of every image, refuse, are never ready, and have no room."""

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIAOFNOBODY",
    "AWS_SECRET_ACCESS_KEY": "nobodys-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}

_ERROR = "<?xml version='1.0'?><Error><Code>{}</Code><Message>of the server's own words</Message></Error>"
_EVERYBODY_READS = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::sound/*"}
        ],
    }
)
_REFUSALS = {
    "denied": ("403 Forbidden", "AccessDenied"),
    "busy": ("503 Service Unavailable", "SlowDown"),
    "full": ("507 Insufficient Storage", "XMinioStorageFull"),
}


@contextmanager
def running_server(**more: str) -> Iterator[dict[str, str]]:
    """Runs the server; gives the environment in which boto3 finds it."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **ENVIRONMENT, **more},
    )
    try:
        assert process.stdout is not None
        yield {**ENVIRONMENT, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{int(process.stdout.readline())}"}
    finally:
        process.kill()
        process.wait()


def _misbehaving(server: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    def answer(environ: dict, start_response: Callable) -> Iterable[bytes]:
        bucket, _, key = environ.get("PATH_INFO", "").strip("/").partition("/")
        if bucket in _REFUSALS and key:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            status, code = _REFUSALS[bucket]
            start_response(status, [("Content-Type", "application/xml")])
            return [_ERROR.format(code).encode()]
        if bucket == "forgetful":
            environ.pop("HTTP_IF_NONE_MATCH", None)
        if bucket == "damaging" and environ["REQUEST_METHOD"] == "PUT" and key.endswith(".nii.gz"):
            content = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            environ["wsgi.input"] = BytesIO(content[:-1] + bytes([content[-1] ^ 1]))
        return server(environ, start_response)

    return answer


def _serve() -> None:
    import boto3
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from moto.s3.models import s3_backends
    from werkzeug.serving import make_server

    assert boto3
    for bucket in BUCKETS:
        s3_backends["123456789012"]["aws"].create_bucket(bucket, "us-east-1")
    s3_backends["123456789012"]["aws"].put_bucket_policy("sound", _EVERYBODY_READS.encode())
    server = make_server("127.0.0.1", 0, _misbehaving(DomainDispatcherApplication(create_backend_app)), threaded=False)
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    _serve()
