"""Kinds of images: their words, and which roles of a protocol they fit."""

from dataclasses import replace

import pytest

from datasets.errors import RejectedInput
from datasets.study.image_kind import Fit, ImageKind, is_kind, modality_of, roles_of
from datasets.study.protocol import ImageRole, Modality, Wanted, Weighting
from datasets.study.shipped_protocols import shipped_protocol

T1 = ImageRole("t1", "T1", Modality.MR, Weighting.T1, fat_suppression=Wanted.REFUSE, contrast=Wanted.REFUSE)
T1_ANY = replace(T1, fat_suppression=Wanted.ALLOW, contrast=Wanted.ALLOW)
T1_CE = replace(T1, name="t1ce", fat_suppression=Wanted.ALLOW, contrast=Wanted.REQUIRE)
T1_FS = replace(T1, name="t1fs", fat_suppression=Wanted.REQUIRE)
T2_FS = ImageRole("t2", "T2", Modality.MR, Weighting.T2, fat_suppression=Wanted.REQUIRE, contrast=Wanted.AVOID)
T2_PLAIN = replace(T2_FS, fat_suppression=Wanted.REFUSE)
FLAIR = ImageRole("flair", "FLAIR", Modality.MR, Weighting.FLAIR)
ANY_MR = ImageRole("mr", "MR", Modality.MR)
CT = ImageRole("ct", "CT", Modality.CT)
CT_CE = replace(CT, contrast=Wanted.REQUIRE)
PET = ImageRole("pet", "PET", Modality.PET)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("t1", ImageKind(Modality.MR, Weighting.T1, fat_suppression=False, contrast=False)),
        ("t1-ce", ImageKind(Modality.MR, Weighting.T1, fat_suppression=False, contrast=True)),
        ("t1-fs-ce", ImageKind(Modality.MR, Weighting.T1, fat_suppression=True, contrast=True)),
        ("t2", ImageKind(Modality.MR, Weighting.T2, fat_suppression=None, contrast=False)),
        ("t2-fs", ImageKind(Modality.MR, Weighting.T2, fat_suppression=True, contrast=False)),
        ("t2-nofs", ImageKind(Modality.MR, Weighting.T2, fat_suppression=False, contrast=False)),
        ("t2star", ImageKind(Modality.MR, Weighting.T2_STAR, contrast=False)),
        ("flair", ImageKind(Modality.MR, Weighting.FLAIR, contrast=False)),
        ("mr", ImageKind(Modality.MR, contrast=False)),
        ("ct", ImageKind(Modality.CT)),
        ("pet", ImageKind(Modality.PET)),
    ],
)
def test_a_word_says_the_kind_and_the_kind_the_word(word: str, kind: ImageKind) -> None:
    assert ImageKind.from_word(word) == kind
    assert kind.word == word


@pytest.mark.parametrize("word", ["", "T1", "t3", "t1w", "ct-fs", "t1-ce-fs", "t1-", "pet\n", "t1 "])
def test_another_word_is_refused(word: str) -> None:
    assert not is_kind(word)
    with pytest.raises(RejectedInput, match="image-kind"):
        ImageKind.from_word(word)


@pytest.mark.parametrize(
    ("word", "role", "fit"),
    [
        ("t1", T1, Fit.FITS),
        ("t1", T1_ANY, Fit.FITS),
        ("t1", T1_CE, Fit.DOUBTFUL),
        ("t1", T1_FS, Fit.DOUBTFUL),
        ("t1", replace(T1, contrast=Wanted.PREFER), Fit.DOUBTFUL),
        ("t1", T2_FS, Fit.OTHER),
        ("t1", FLAIR, Fit.OTHER),
        ("t1", ANY_MR, Fit.DOUBTFUL),
        ("t1", CT, Fit.OTHER),
        ("t1-ce", T1_CE, Fit.FITS),
        ("t1-ce", T1, Fit.OTHER),
        ("t1-ce", T1_ANY, Fit.DOUBTFUL),
        ("t2", T2_FS, Fit.FITS),
        ("t2", T2_PLAIN, Fit.FITS),
        ("t2-fs", T2_FS, Fit.FITS),
        ("t2-fs", T2_PLAIN, Fit.OTHER),
        ("t2-nofs", T2_FS, Fit.OTHER),
        ("t2-nofs", replace(T2_PLAIN, fat_suppression=Wanted.ALLOW), Fit.DOUBTFUL),
        ("mr", T1, Fit.FITS),
        ("mr", ANY_MR, Fit.FITS),
        ("ct", CT, Fit.FITS),
        ("ct", CT_CE, Fit.FITS),
        ("ct", PET, Fit.OTHER),
        ("pet", PET, Fit.FITS),
        ("pet", CT, Fit.OTHER),
    ],
)
def test_which_roles_a_kind_fits(word: str, role: ImageRole, fit: Fit) -> None:
    found = ImageKind.from_word(word).fits(role)
    assert found.fit is fit
    assert (found.reason == "") is (fit is Fit.FITS)


def test_a_doubt_and_a_misfit_are_said() -> None:
    t1 = ImageKind.from_word("t1")
    assert t1.fits(T1_CE).reason == "t1ce is after contrast"
    assert t1.fits(CT).reason == "ct is a CT"
    assert t1.fits(FLAIR).reason == "flair is FLAIR"
    assert ImageKind.from_word("t2-nofs").fits(T2_FS).reason == "t2 is fat-suppressed"


def test_the_kinds_of_the_shipped_protocols() -> None:
    found = {
        name: [ImageKind.of_role(role).word for role in shipped_protocol(name).images]
        for name in ("mstt-199", "t1", "ct", "pet-ct", "lipoma")
    }
    assert found == {
        "mstt-199": ["t1", "t2-fs"],
        "t1": ["t1"],
        "ct": ["ct"],
        "pet-ct": ["ct", "pet"],
        "lipoma": ["t1", "t1-ce", "t2-nofs", "t2-fs"],
    }
    for name, words in found.items():
        for role, word in zip(shipped_protocol(name).images, words, strict=True):
            assert ImageKind.from_word(word).fits(role).fit is Fit.FITS


def test_the_best_roles_come_and_the_drawn_one_first() -> None:
    t1 = ImageKind.from_word("t1")
    later = replace(T1, name="later")
    assert list(roles_of(t1, [T1_CE, T1, later], drawn="later")) == ["later", "t1"]
    assert list(roles_of(t1, [T1_CE, T1, later], drawn="t1ce")) == ["t1", "later"]
    assert list(roles_of(t1, [T1_CE, T2_FS], drawn="t2")) == ["t1ce"]
    assert roles_of(t1, [T2_FS, CT], drawn="ct") == {}


def test_the_machine_of_a_word() -> None:
    assert [modality_of(word) for word in ("ct", "pet", "t2-fs", "scan")] == ["CT", "PT", "MR", "MR"]


def test_titles_for_people() -> None:
    titles = [ImageKind.from_word(word).title for word in ("t1", "t2-fs", "t1-ce", "t2-nofs", "ct", "pet")]
    assert titles == ["T1", "T2 with fat suppression", "T1 after contrast", "T2 without fat suppression", "CT", "PET"]
