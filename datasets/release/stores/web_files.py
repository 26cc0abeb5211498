"""A release's files behind a web address, which are read and never written."""

from collections.abc import Iterator
from urllib.parse import quote

from datasets.release.stores import refusals
from datasets.release.stores.address import Address
from datasets.release.stores.stored_files import PORTION_BYTES

_SECONDS = 60
_ABSENT = (404, 410)
_UNKNOWN, _FORBIDDEN, _FIRST_OF_SERVER, _BUSY = 401, 403, 500, 429


class WebFiles:
    """The files of the release below a web address.

    Args:
        address: Of the release's folder there.
    """

    most_at_once = 4

    def __init__(self, address: Address) -> None:
        self._root = str(address)

    def read(self, path: str) -> Iterator[bytes]:
        """The file's bytes, in portions; `FileNotFoundError` where it is not there, else refused as `refusals` say."""
        import requests
        from urllib3.exceptions import HTTPError, LocationValueError

        headers = {"Accept-Encoding": "identity"}  # a packed file is wanted as it is
        try:
            with requests.get(f"{self._root}/{quote(path)}", stream=True, timeout=_SECONDS, headers=headers) as answer:
                _require_good(answer.status_code)
                yield from answer.iter_content(PORTION_BYTES)
        except (requests.exceptions.InvalidURL, LocationValueError, UnicodeError) as error:  # no host is called so
            raise refusals.missing() from error
        except (requests.RequestException, HTTPError) as error:
            raise refusals.unreachable() from error


def _require_good(status: int) -> None:
    if status in _ABSENT:
        raise FileNotFoundError
    if status == _UNKNOWN:
        raise refusals.without_credentials()
    if status == _FORBIDDEN:
        raise refusals.forbidden()
    if status >= _FIRST_OF_SERVER or status == _BUSY:
        raise refusals.busy()
    if status != 200:
        raise refusals.missing()
