"""Pages of releases, and their download."""

import tempfile
import zipfile
from pathlib import Path

from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.permissions import roles_required
from annotation_backend.publishing.models import Release


@login_required
@require_GET
def release_list(request: HttpRequest) -> HttpResponse:
    """All releases, the newest first."""
    return render(request, "publishing/releases.html", {"releases": Release.objects.prefetch_related("cases")})


@login_required
@require_GET
def release_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One release with its dataset card."""
    release = get_object_or_404(Release, pk=pk)
    card = (release.path / "README.md").read_text(encoding="utf-8")
    return render(request, "publishing/release.html", {"release": release, "card": card})


@roles_required(Role.DATA_MANAGER, Role.RADIOLOGIST)
@require_GET
def download(request: HttpRequest, pk: int) -> FileResponse:
    """The release's folder as one ZIP, its files stored as they are (they are compressed already)."""
    release = get_object_or_404(Release, pk=pk)
    archive = tempfile.TemporaryFile()  # noqa: SIM115 (FileResponse closes it)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as bundle:
        for path in sorted(p for p in release.path.rglob("*") if p.is_file()):
            bundle.write(path, Path(str(release)) / path.relative_to(release.path))
    archive.seek(0)
    return FileResponse(archive, as_attachment=True, filename=f"{release}.zip")
