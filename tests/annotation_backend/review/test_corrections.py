"""Masks that reviewers give back: what is looked at, who may, and what becomes of them."""

import gzip
import io
import struct
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.models import CaseMask, Correction
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.review.corrections.checks import uploaded_mask
from annotation_backend.stages.flow import follow
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.formats.nifti import encode, read_mask
from datasets.image.mask import Mask
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import approve

pytestmark = pytest.mark.django_db

CORRECTING = """
[[stages]]
name = "annotate"
title = "Drawing"
does = "draw"
done_by = "annotator"
unit = "slice"

[[stages]]
name = "review"
title = "Review"
does = "review"
done_by = "radiologist"
after = ["annotate"]
returns_to = "annotate"
may_correct = true
largest_correction = 0.1
"""


@pytest.fixture
def correcting(mask: CaseMask, study: Study) -> CaseMask:
    """The mask, in a study whose review may correct a tenth."""
    document = study.document.split("[[stages]]")[0] + CORRECTING
    Study.objects.filter(pk=study.pk).update(document=document)
    return CaseMask.objects.select_related("case__study").get(pk=mask.pk)


def _file(mask: Mask, **changes: Any) -> SimpleUploadedFile:
    content = encode(changes.get("data", mask.data), changes.get("affine", mask.grid.affine))
    return SimpleUploadedFile("any name at all.bin", content)


def _smaller(mask: CaseMask, *, rows: int) -> Mask:
    """The mask without its first rows on slice 2; each row of it has 9 of its 45 voxels."""
    read = read_mask(mask.path)
    data = read.data.copy()
    places = np.argwhere(data)
    lines = sorted(set(places[:, 1].tolist()))[:rows]
    data[:, lines, :] = 0
    return Mask(data, read.grid, read.labels)


def test_a_file_is_laid_on_the_cases_grid_also_where_its_axes_run_otherwise(mask: CaseMask) -> None:
    read = read_mask(mask.path)
    turned = read.data[::-1].copy()
    affine = read.grid.affine.copy()
    affine[:3, 3] += affine[:3, 0] * (read.data.shape[0] - 1)
    affine[:3, 0] *= -1
    for upload in (_file(read), _file(read, data=turned, affine=affine)):
        assert np.array_equal(uploaded_mask(mask.case, upload).data, read.data)


def test_an_uncompressed_file_and_one_of_fractions_are_told_apart(mask: CaseMask) -> None:
    read = read_mask(mask.path)
    plain = SimpleUploadedFile("x", gzip.decompress(encode(read.data, read.grid.affine)))
    assert np.array_equal(uploaded_mask(mask.case, plain).data, read.data)
    with pytest.raises(RejectedInput, match="mask-not-whole"):
        uploaded_mask(mask.case, _file(read, data=(read.data * 0.5).astype(np.float32)))


def _bomb(mask: Mask) -> bytes:
    """A header that declares 2 GiB of zeros, and the zeros."""
    head = bytearray(gzip.decompress(encode(mask.data, mask.grid.affine))[:352])
    struct.pack_into("<4h", head, 40, 3, 1024, 1024, 2048)
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as stream:
        stream.write(bytes(head))
        for _ in range(40):
            stream.write(bytes(1 << 20))
    return packed.getvalue()


def _refused(mask: Mask) -> dict[str, tuple[bytes, str]]:
    shifted = mask.grid.affine.copy()
    shifted[0, 3] += 0.5
    return {
        "no file": (b"", "file-empty"),
        "something else": (b"\x80\x04\x95pickle" * 100, "nifti-"),
        "a bomb": (_bomb(mask), "declared-too-large"),
        "cut off": (encode(mask.data, mask.grid.affine)[:-200], ""),
        "half a voxel beside": (encode(mask.data, shifted), "grid-mismatch"),
        "another size": (encode(np.zeros((3, 3, 3), np.uint8), np.diag([9.0, 9, 9, 1])), "grid"),
        "negative": (encode(-mask.data.astype(np.int16), mask.grid.affine), "mask-negative"),
    }


@pytest.mark.parametrize(
    "what", ["no file", "something else", "a bomb", "cut off", "half a voxel beside", "another size", "negative"]
)
def test_bad_files_are_refused_by_name(mask: CaseMask, what: str) -> None:
    content, code = _refused(read_mask(mask.path))[what]
    with pytest.raises(RejectedInput) as refused:
        uploaded_mask(mask.case, SimpleUploadedFile("x.nii.gz", content))
    assert refused.value.code.startswith(code)
    assert refused.value.remedy


def _give(client: Client, mask: CaseMask, upload: Any) -> Any:
    form = {"base": mask.pk, "file": upload}
    return client.post(page_at("review-correct", "C0001"), form, headers={"accept": "application/json"})


def test_a_stage_that_does_not_correct_refuses(mask: CaseMask, radiologist: Client) -> None:
    answer = _give(radiologist, mask, _file(_smaller(mask, rows=1)))
    assert (answer.status_code, answer.json()["code"]) == (400, "correction-not-allowed")
    assert not Correction.objects.exists()


def test_a_correction_is_a_version_with_its_author_that_counts(
    correcting: CaseMask, radiologist: Client, people: dict[Role, User]
) -> None:
    wanted = _smaller(correcting, rows=1)
    answer = _give(radiologist, correcting, _file(wanted))
    assert answer.status_code == 201, answer.content
    correction = Correction.objects.get()
    assert (correction.author, correction.changed_share) == (people[Role.RADIOLOGIST], pytest.approx(9 / 45))
    now = assemble(correcting.case)
    assert now is not None
    assert np.array_equal(read_mask(now.path).data, wanted.data)
    with pytest.raises(RejectedInput, match="correction-too-large"):
        approve(now, people[Role.RADIOLOGIST])  # a fifth is more than a tenth


def test_a_correction_of_a_mask_that_counts_no_more_is_refused(correcting: CaseMask, radiologist: Client) -> None:
    assert _give(radiologist, correcting, _file(_smaller(correcting, rows=1))).status_code == 201
    assemble(correcting.case)
    answer = _give(radiologist, correcting, _file(_smaller(correcting, rows=2)))
    assert (answer.status_code, answer.json()["code"]) == (400, "mask-superseded")


def test_values_without_a_label_and_forms_without_a_file_are_refused(correcting: CaseMask, radiologist: Client) -> None:
    read = read_mask(correcting.path)
    answer = _give(radiologist, correcting, _file(read, data=read.data * 77))
    assert answer.json()["code"] == "correction-label"
    assert _give(radiologist, correcting, "").json()["code"] == "upload-missing"
    back = radiologist.post(page_at("review-correct", "C0001"), {"base": correcting.pk})
    assert back.headers["Location"] == page_at("review-case", "C0001")


def test_who_draws_corrects_nothing_here(correcting: CaseMask, people: dict[Role, User]) -> None:
    client = Client()
    client.force_login(people[Role.ANNOTATOR])
    assert _give(client, correcting, _file(read_mask(correcting.path))).status_code == 403


def test_the_page_offers_the_pen_only_where_the_stage_corrects(correcting: CaseMask, radiologist: Client) -> None:
    follow(correcting.case, standing_of(correcting.case).drawn)
    page = radiologist.get(page_at("review-case", "C0001")).content.decode()
    assert "up to 10% of the mask" in page
