"""Pages of releases, and their download."""

import threading
from collections.abc import Iterator

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_safe

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.permissions import roles_required
from annotation_backend.cases.stored import DamagedFile
from annotation_backend.publishing.archive import Archive
from annotation_backend.publishing.models import Release
from annotation_backend.publishing.ranges import Part, part_asked_for
from annotation_backend.publishing.stored_release import archive_of, card_of

DOWNLOADS_AT_ONCE = 6
"""Of one process, whose 16 threads serve everybody else too: who downloads holds one until the last byte is taken."""

_AGAIN_SECONDS = 10

_places = threading.BoundedSemaphore(DOWNLOADS_AT_ONCE)


@login_required
@require_GET
def release_list(request: HttpRequest) -> HttpResponse:
    """All releases, the newest first."""
    return render(request, "publishing/releases.html", {"releases": Release.objects.prefetch_related("cases")})


@login_required
@require_GET
def release_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One release with its dataset card; where its files are damaged, what is wrong instead."""
    release = get_object_or_404(Release, pk=pk)
    try:
        context = {"release": release, "card": card_of(release)}
    except DamagedFile as error:
        return render(request, "publishing/release.html", {"release": release, "damage": error}, status=409)
    return render(request, "publishing/release.html", context)


@roles_required(Role.DATA_MANAGER, Role.RADIOLOGIST)
@require_safe
def download(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The release's folder as one ZIP, its files stored as they are; any part of it, so that a broken one goes on."""
    release = get_object_or_404(Release, pk=pk)
    archive = archive_of(release)
    etag = f'"{release.digest}"'
    part = part_asked_for(request.headers, size=archive.size, etag=etag)
    if part is None:
        answer: HttpResponseBase = HttpResponse(status=416)
        answer["Content-Range"] = f"bytes */{archive.size}"
    elif request.method == "HEAD":
        answer = _described(HttpResponse(), part, archive.size)
    elif not _places.acquire(blocking=False):
        answer = HttpResponse("Others are downloading; begin again in a moment.\n", status=503)
        answer["Content-Type"], answer["Retry-After"] = "text/plain", str(_AGAIN_SECONDS)
        return answer
    else:
        answer = _described(StreamingHttpResponse(_Sent(archive, part)), part, archive.size)
    answer["Accept-Ranges"], answer["ETag"], answer["Cache-Control"] = "bytes", etag, "private, no-cache"
    answer["Content-Type"] = "application/zip"
    answer["Content-Disposition"] = f'attachment; filename="{release}.zip"'
    return answer


def _described(answer: HttpResponseBase, part: Part, size: int) -> HttpResponseBase:
    answer["Content-Length"] = str(part.stop - part.start)
    if not part.is_whole:
        answer.status_code = 206
        answer["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    return answer


class _Sent:
    """The bytes of a part on their way; gives the place back however the download ends, once."""

    def __init__(self, archive: Archive, part: Part) -> None:
        self._portions = archive.read(part.start, part.stop)
        self._is_open = True

    def __iter__(self) -> Iterator[bytes]:
        """The portions."""
        return self._portions

    def close(self) -> None:
        """Called by the server when the last byte is taken, or nobody takes any more."""
        if self._is_open:
            self._is_open = False
            _places.release()

    def __del__(self) -> None:
        """Of an answer that nobody took and nobody closed."""
        self.close()
