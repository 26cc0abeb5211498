"""Answers that give the viewer a case's images and masks as NIfTI, the bytes as they are stored.

The stored files are gzip; the browser inflates them by itself, so that the page's script gets plain NIfTI. Their
headers hold sizes and the affine only (`datasets.formats.nifti.encode`).
"""

import numpy as np
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotModified

from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.cases.stored.digests import StoredFile, whole_file
from annotation_backend.inference.serving.initial_masks import stored_initial_masks
from annotation_backend.inference.serving.uncertainty_maps import UncertaintyMap
from annotation_backend.registry.models import Model
from datasets.files import canonical_json, sha256_of_bytes
from datasets.formats.nifti import encode


def stored_answer(request: HttpRequest, stored: StoredFile) -> HttpResponseBase:
    """A stored .nii.gz, for the viewer.

    Raises:
        DamagedFile: The file is not the one that was written.
    """
    if _is_known(request, stored.sha256):
        return _marked(HttpResponseNotModified(), stored.sha256)
    return _marked(_nifti(whole_file(stored).read_bytes()), stored.sha256)


def model_answer(request: HttpRequest, case: Case, model: Model) -> HttpResponseBase:
    """A model's masks of a case before anybody prompted, put together to one label map.

    Raises:
        RejectedInput: The case has no pictures.
    """
    plane = picture_plane(case)
    found = stored_initial_masks([case], model=model)
    drawn = [one for one in found.values() if one.mask.any()]
    data = np.zeros(plane.grid.shape, dtype=np.uint8)
    value = np.uint8(case.protocol.learned_label.value)
    for one in drawn:
        plane.from_picture(one.mask * value, into=data, index=one.index)
    inputs = [[one.index, sha256_of_bytes(np.packbits(one.mask).tobytes())] for one in drawn]
    digest = sha256_of_bytes(canonical_json([case.images_sha256, int(value), sorted(inputs)]))
    if _is_known(request, digest):
        return _marked(HttpResponseNotModified(), digest)
    return _marked(_nifti(encode(data, plane.grid.affine, is_working_copy=True)), digest)


def uncertainty_answer(request: HttpRequest, found: UncertaintyMap) -> HttpResponseBase:
    """A model's uncertainty map as 0 to 255; what the browser has already is not read again.

    Raises:
        DamagedFile: It is not the one that was written (``uncertainty-damaged``).
    """
    if _is_known(request, found.sha256):
        return _marked(HttpResponseNotModified(), found.sha256)
    content = encode(found.levels(), picture_plane(found.case).grid.affine, is_working_copy=True)
    return _marked(_nifti(content), found.sha256)


def _is_known(request: HttpRequest, digest: str) -> bool:
    return f'"{digest}"' in request.headers.get("If-None-Match", "")


def _nifti(content: bytes) -> HttpResponse:
    answer = HttpResponse(content, content_type="application/octet-stream")
    answer["Content-Encoding"] = "gzip"
    return answer


def _marked(answer: HttpResponse, digest: str) -> HttpResponse:
    """The browser keeps it, and asks each time whether it may still show it; nobody between keeps it."""
    answer["ETag"] = f'"{digest}"'
    answer["Cache-Control"] = "private, no-cache"
    return answer
