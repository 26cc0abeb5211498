"""Pages of releases, and their download."""

import threading
from collections.abc import Callable, Iterator

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_safe

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.cases.stored.digests import DamagedFile
from annotation_backend.history.models import EventKind
from annotation_backend.history.recording import record
from annotation_backend.publishing.correcting.beside_releases import file_beside, pictures_of_changes
from annotation_backend.publishing.correcting.listed import errata_of
from annotation_backend.publishing.correcting.withdrawn import require_nobody_withdrawn, withdrawn_in
from annotation_backend.publishing.downloads import (
    Download,
    offered_parts,
    part_of,
    patch_of,
    version_before,
    whole_of,
)
from annotation_backend.publishing.models import Release
from annotation_backend.publishing.ranges import Part, part_asked_for
from annotation_backend.publishing.stored_release import card_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import may, study_page
from datasets.archives.zip_writing import Archive
from datasets.release.correcting.beside import Beside

READERS = (Role.DATA_MANAGER, Role.RADIOLOGIST)
"""Roles that see the images of releases."""

DOWNLOADS_AT_ONCE = 6
"""Most downloads at once in one process: each holds one of its 16 threads until the last byte is taken."""

_AGAIN_SECONDS = 10

places = threading.BoundedSemaphore(DOWNLOADS_AT_ONCE)
"""The downloads that may still begin now."""


@study_page()
@require_GET
def release_list(request: HttpRequest, study: Study) -> HttpResponse:
    """All releases of the study, the newest first."""
    releases = Release.objects.filter(study=study).prefetch_related("cases")
    return render(
        request, "publishing/releases.html", {"releases": releases, "may_withdraw": may(request, Role.DATA_MANAGER)}
    )


@study_page()
@require_GET
def release_page(request: HttpRequest, study: Study, pk: int) -> HttpResponse:
    """One release with its dataset card; where its files are damaged, the damage instead."""
    release = get_object_or_404(Release, study=study, pk=pk)
    may_read = may(request, *READERS)
    context: dict[str, object] = {
        "release": release,
        "errata": errata_of(release),
        "withdrawn": sorted(withdrawn_in(release)),
        "has_proof": file_beside(release, Beside.PROOF) is not None,
        "pictures": pictures_of_changes(release) if may_read else [],
        "may_read": may_read,
    }
    try:
        context |= {"card": card_of(release), "parts": offered_parts(release), "former": version_before(release)}
    except DamagedFile as error:
        return render(request, "publishing/release.html", {**context, "damage": error}, status=409)
    return render(request, "publishing/release.html", context)


@study_page(*READERS)
@require_safe
def download(request: HttpRequest, study: Study, pk: int) -> HttpResponseBase:
    """The release's folder as one ZIP, its files stored as they are; any bytes of it, so that a broken one goes on."""
    return _answered(request, get_object_or_404(Release, study=study, pk=pk), whole_of)


@study_page(*READERS)
@require_safe
def download_part(request: HttpRequest, study: Study, pk: int, number: int) -> HttpResponseBase:
    """One of the ZIPs of a size into which a large release is divided; each opens by itself."""
    return _answered(request, get_object_or_404(Release, study=study, pk=pk), lambda release: part_of(release, number))


@study_page(*READERS)
@require_safe
def download_patch(request: HttpRequest, study: Study, pk: int) -> HttpResponseBase:
    """The ZIP that makes this version of the one before."""
    return _answered(request, get_object_or_404(Release, study=study, pk=pk), patch_of)


def _answered(request: HttpRequest, release: Release, wanted: Callable[[Release], Download | None]) -> HttpResponseBase:
    """The answer to a download, as long as there is a place for it."""
    require_nobody_withdrawn(release)
    if request.method == "GET" and request.headers.get("Range", "bytes=0-").startswith("bytes=0-"):
        detail = {"release": str(release)[:60]}
        record(EventKind.RELEASE_DOWNLOADED, signed_in_user(request), study=release.study, detail=detail)
    if not places.acquire(blocking=False):
        answer = HttpResponse("Others are downloading; begin again in a moment.\n", status=503)
        answer["Content-Type"], answer["Retry-After"] = "text/plain", str(_AGAIN_SECONDS)
        return answer
    place = _Place()
    try:
        return _sent(request, release, wanted, place=place)
    except BaseException:
        place.close()
        raise


def _sent(
    request: HttpRequest, release: Release, wanted: Callable[[Release], Download | None], *, place: "_Place"
) -> HttpResponseBase:
    """The answer; what is sent keeps the place until its last byte is taken."""
    found = wanted(release)  # the first time, all of the release is read
    if found is None:
        raise Http404
    archive = found.archive
    part = part_asked_for(request.headers, size=archive.size, etag=found.etag)
    answer: HttpResponseBase
    if part is None:
        answer = HttpResponse(status=416)
        answer["Content-Range"] = f"bytes */{archive.size}"
    else:
        sent = request.method == "GET"
        body = StreamingHttpResponse(_Sent(archive, part, place)) if sent else HttpResponse()
        answer = _described(body, part, archive.size)
    if not answer.streaming:
        place.close()
    answer["Accept-Ranges"], answer["ETag"], answer["Cache-Control"] = "bytes", found.etag, "private, no-cache"
    answer["Content-Type"] = "application/zip"
    answer["Content-Disposition"] = f'attachment; filename="{found.name}"'
    return answer


def _described(answer: HttpResponseBase, part: Part, size: int) -> HttpResponseBase:
    answer["Content-Length"] = str(part.stop - part.start)
    if not part.is_whole:
        answer.status_code = 206
        answer["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    return answer


class _Place:
    """One of the places for downloads of this process; it is given back once."""

    def __init__(self) -> None:
        self._is_taken = True

    def close(self) -> None:
        """Gives the place back."""
        if self._is_taken:
            self._is_taken = False
            places.release()


class _Sent:
    """The bytes of a part on their way; gives the place back however the download ends."""

    def __init__(self, archive: Archive, part: Part, place: _Place) -> None:
        self._portions, self._place = archive.read(part.start, part.stop), place

    def __iter__(self) -> Iterator[bytes]:
        """Yields the file in portions."""
        return self._portions

    def close(self) -> None:
        """Called by the server when the last byte is taken, or nobody takes any more."""
        self._place.close()

    def __del__(self) -> None:
        """Gives the place back for an answer that nobody took and nobody closed."""
        self.close()
