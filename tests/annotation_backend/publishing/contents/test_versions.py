"""Which version follows which, what left since, and what is taken over."""

from pathlib import Path
from shutil import copytree

import pytest
from django.conf import settings

from annotation_backend.cases.exclusion import exclude, take_back
from annotation_backend.cases.models import Case, Patient
from annotation_backend.publishing.contents.versions import followed, left_since, to_take_over, versions_before
from annotation_backend.publishing.models import Release, ReleasedCase
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.release.build import build_release
from datasets.study.case import Consent
from tests.annotation_backend.support.records import second_study
from tests.datasets.release.samples import SETTINGS, write_case

pytestmark = pytest.mark.django_db

FORMER = Path(__file__).parents[3] / "datasets/release/schema_2/thigh-tumours-1.2.0"


def _release(study: Study, version: str, *, name: str = "thigh", **values: str) -> Release:
    given = {"digest": "0" * 64, "folder": f"releases/{name}-{version}"} | values
    return Release.objects.create(study=study, name=name, version=version, **given)


def test_versions_are_ordered_by_their_numbers_and_of_one_name_and_study(study: Study) -> None:
    for version in ("1.10.0", "1.9.0", "1.10.0-rc.1", "2.0.0"):
        _release(study, version)
    _release(study, "1.0.0", name="other")
    _release(second_study(), "1.0.0")
    assert [each.version for each in versions_before(study, "thigh", "2.0.0")] == ["1.9.0", "1.10.0-rc.1", "1.10.0"]
    assert followed(study, "thigh", "2.0.1") == "2.0.0"
    assert followed(study, "new", "0.1.0") is None


def test_a_version_older_than_one_that_was_published_is_refused(study: Study) -> None:
    _release(study, "1.0.0")
    _release(study, "2.0.0")
    for version in ("1.0.1", "0.9.0", "2.0.0-rc.1"):
        with pytest.raises(RejectedInput, match=r"newer than 2\.0\.0.*release-version-order"):
            followed(study, "thigh", version)


def test_a_version_that_was_published_may_be_built_again(study: Study) -> None:
    """It is compared with what lies there; a folder without a record is recorded so."""
    _release(study, "1.0.0")
    _release(study, "1.1.0")
    _release(study, "2.0.0")
    assert followed(study, "thigh", "1.1.0") == "1.0.0"
    assert followed(study, "thigh", "1.0.0") is None
    (study.folder / "releases/thigh-1.5.0").mkdir(parents=True)
    assert followed(study, "thigh", "1.5.0") == "1.1.0"


def test_cases_that_were_excluded_or_may_not_be_given_away_have_left_by_all_their_codes(study: Study) -> None:
    releases = [_release(study, version) for version in ("1.0.0", "2.0.0", "3.0.0")]
    cases = []
    for number in range(1, 5):
        patient = Patient.objects.create(study=study, code=f"P000{number}", pseudonym=str(number))
        case = Case.objects.create(study=study, code=f"C000{number}", patient=patient, source_sha256=str(number))
        cases.append(case)
        for release, code in ((releases[0], case.code), (releases[1], f"sub-000{number}_ses-1")):
            ReleasedCase.objects.create(release=release, case=case, code=code)
    ReleasedCase.objects.create(release=releases[2], case=cases[3], code="sub-0009_ses-1")
    assert left_since(releases[:2]) == []
    exclude(cases[0], reason="Consent withdrawn.")
    exclude(cases[1], reason="A mistake.")
    take_back(cases[1])
    exclude(cases[3], reason="Metal artefact.")
    Case.objects.filter(pk=cases[2].pk).update(consent=Consent.REFUSED)
    assert left_since(releases[:1]) == ["C0001", "C0003", "C0004"]
    assert left_since(releases[:2]) == [
        *("C0001", "C0003", "C0004"),
        *("sub-0001_ses-1", "sub-0003_ses-1", "sub-0004_ses-1"),
    ]


def test_the_version_before_is_taken_over_from_and_else_the_newest_of_another_name(
    study: Study, tmp_path: Path
) -> None:
    built = build_release([write_case(tmp_path, 1)], SETTINGS, Path(settings.DATA_FOLDER) / "releases" / tmp_path.name)
    here = {"digest": built.digest, "folder": str(built.folder.relative_to(settings.DATA_FOLDER))}
    assert to_take_over(study, "thigh", "1.0.0") is None
    other = _release(study, "7.0.0", name="other", **here)
    assert to_take_over(study, "thigh", "1.0.0") == other
    own = _release(study, "1.0.0", **here)
    assert to_take_over(study, "thigh", "1.1.0") == own
    assert to_take_over(study, "thigh", "1.0.0") == other
    assert to_take_over(second_study(), "thigh", "1.1.0") is None


@pytest.mark.parametrize("what", ["another digest", "gone", "damaged", "of schema 2"])
def test_nothing_is_taken_over_from_a_release_that_is_not_as_it_was_published(
    study: Study, tmp_path: Path, what: str
) -> None:
    folder = Path(settings.DATA_FOLDER) / "releases" / tmp_path.name
    built = build_release([write_case(tmp_path, 1)], SETTINGS, folder)
    place, digest = built.folder, built.digest
    if what == "of schema 2":
        place, digest = folder / "former", "x"
        copytree(FORMER, place)
    elif what == "another digest":
        digest = "0" * 64
    elif what == "gone":
        (place / "manifest.json").unlink()
    else:
        (place / "manifest.json").write_bytes((place / "manifest.json").read_bytes()[:-2])
    _release(study, "1.0.0", digest=digest, folder=str(place.relative_to(settings.DATA_FOLDER)))
    assert to_take_over(study, "thigh", "1.1.0") is None
