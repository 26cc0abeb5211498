"""What the viewer fetches: the stored bytes, to people who read reviews, once."""

import gzip

import numpy as np
import pytest
from django.test import Client

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import CaseImage
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.inference.models import InitialMask
from annotation_backend.inference.serving.mask_inputs import inputs_of
from annotation_backend.labeling.models import CaseMask
from datasets.files import write_bytes
from datasets.formats.nifti import read_mask, read_volume
from datasets.image.packed_mask import packed
from tests.annotation_backend.inference.unsure_masks import levels_on, unsure_mask
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import drawn, signed_in
from tests.annotation_backend.support.segmenters import known_model

pytestmark = pytest.mark.django_db


def test_an_image_comes_as_it_is_stored_and_once(mask: CaseMask, radiologist: Client) -> None:
    address = page_at("review-volume", "C0001", "t2")
    stored = CaseImage.objects.get(case=mask.case, role="t2")
    answer = radiologist.get(address)
    assert answer.content == stored.path.read_bytes()
    assert (answer["Content-Encoding"], answer["ETag"]) == ("gzip", f'"{stored.sha256}"')
    assert answer["Cache-Control"] == "private, no-cache"
    again = radiologist.get(address, headers={"if-none-match": answer["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_headers_hold_nothing_but_the_grid(mask: CaseMask, radiologist: Client) -> None:
    """Of NIfTI-1: description, auxiliary file, intent's name, and the name of a database stay empty."""
    for address in (page_at("review-volume", "C0001", "t2"), page_at("review-mask", mask.pk)):
        head = gzip.decompress(radiologist.get(address).content)[:352]
        texts = head[4:14] + head[14:32] + head[148:228] + head[228:252] + head[328:344]
        assert texts.replace(b"\0", b"") == b""
        assert head[348:352] == b"\0\0\0\0", "no extension"


@pytest.mark.parametrize("name", ["review-volume", "review-mask", "review-mask-download", "review-figures"])
def test_who_draws_gets_nothing(mask: CaseMask, people: dict[Role, User], name: str) -> None:
    values = ("C0001", "t2") if name == "review-volume" else (mask.pk,)
    address = page_at(name, *values)
    assert signed_in(people[Role.ANNOTATOR]).get(address).status_code == 403
    assert signed_in(people[Role.DATA_MANAGER]).get(address).status_code == 200
    assert Client().get(address).status_code == 302


def test_a_changed_file_is_not_served(mask: CaseMask, radiologist: Client) -> None:
    write_bytes(mask.path, b"something else")
    answer = radiologist.get(page_at("review-mask", mask.pk), headers={"accept": "*/*"})
    assert (answer.status_code, b"[stored-file-changed]" in answer.content) == (409, True)


def test_the_download_is_a_file_for_other_programs(mask: CaseMask, radiologist: Client) -> None:
    answer = radiologist.get(page_at("review-mask-download", mask.pk))
    assert answer.content == mask.path.read_bytes()
    assert answer["Content-Disposition"] == f'attachment; filename="C0001-mask-{mask.pk}.nii.gz"'
    assert "Content-Encoding" not in answer


def test_a_models_masks_are_one_label_map(mask: CaseMask, radiologist: Client, tmp_path) -> None:
    """It drew on slice 2 what the annotator kept, so its label map is the mask that counts."""
    model = known_model()
    [inputs] = inputs_of([mask.case], model).values()
    row = {"case": mask.case, "model": model, "inputs_sha256": inputs, "model_version": "bright-1"}
    InitialMask.objects.create(slice_index=2, bits=packed(drawn()), **row)
    InitialMask.objects.create(slice_index=3, bits=b"", **row)
    answer = radiologist.get(page_at("review-model-mask", "C0001", model.pk))
    write_bytes(tmp_path / "model.nii.gz", answer.content)
    assert np.array_equal(read_mask(tmp_path / "model.nii.gz").data, read_mask(mask.path).data)
    page = radiologist.get(page_at("review-case", "C0001")).content.decode()
    assert "The model&#x27;s: bright-1" in page or "The model&#x27;s: bright" in page
    again = radiologist.get(answer.wsgi_request.path, headers={"if-none-match": answer["ETag"]})
    assert again.status_code == 304


def test_how_unsure_a_model_is_comes_as_levels_on_the_cases_grid(mask: CaseMask, radiologist: Client, tmp_path) -> None:
    model = known_model()
    unsure_mask(mask.case, model)
    address = page_at("review-uncertainty", "C0001", model.pk)
    answer = radiologist.get(address)
    write_bytes(tmp_path / "unsure.nii.gz", answer.content)
    found = read_volume(tmp_path / "unsure.nii.gz")
    assert found.grid.matches(read_mask(mask.path).grid)
    plane = picture_plane(mask.case)
    assert np.array_equal(plane.to_picture(np.asarray(found.data), 2), levels_on(mask.case))
    assert not np.delete(np.asarray(found.data), 2, axis=plane.slice_axis).any()
    assert radiologist.get(address, headers={"if-none-match": answer["ETag"]}).status_code == 304
    page = radiologist.get(page_at("review-case", "C0001")).content.decode()
    assert "How unsure bright-1 is" in page
    InitialMask.objects.update(uncertainty=b"damaged")
    broken = radiologist.get(address, headers={"accept": "*/*"})
    assert (broken.status_code, b"[uncertainty-damaged]" in broken.content) == (409, True)


def test_without_a_map_nothing_is_shown(mask: CaseMask, radiologist: Client, people: dict[Role, User]) -> None:
    """Of a former version's prediction, of another registration's, and for who only draws."""
    model = known_model()
    row = unsure_mask(mask.case, model)
    address = page_at("review-uncertainty", "C0001", model.pk)
    assert signed_in(people[Role.ANNOTATOR]).get(address).status_code == 403
    assert signed_in(people[Role.DATA_MANAGER]).get(address).status_code == 200
    for change in ({"uncertainty": None, "uncertainty_sha256": ""}, {"inputs_sha256": "of others"}):
        InitialMask.objects.filter(pk=row.pk).update(**change)
        assert radiologist.get(address).status_code == 404
        assert "data-unsure" not in radiologist.get(page_at("review-case", "C0001")).content.decode()
        InitialMask.objects.filter(pk=row.pk).update(
            uncertainty=row.uncertainty, uncertainty_sha256=row.uncertainty_sha256, inputs_sha256=row.inputs_sha256
        )
    assert radiologist.get(address).status_code == 200
