"""The card's part for whoever has just fetched the release: verify it, and load it with the tools that they have."""

from collections.abc import Collection

from datasets.release.describing.card.blocks import Block, Bullets, Commands, said, words
from datasets.release.paths import (
    CONVERTER_NAME,
    CROISSANT_NAME,
    IMAGES_NAME,
    MONAI_NAME,
    TABLE_NAME,
    VERIFY_NAME,
)
from datasets.release.settings import ReleaseSettings

_LOAD_MONAI = (
    'python3 -c "from monai.data import load_decathlon_datalist as load; '
    f"print(load('{MONAI_NAME}', True, 'training', '.')[0])\""
)


def verifying_blocks(settings: ReleaseSettings, files: Collection[str]) -> tuple[Block, ...]:
    """How to see that all is there and whole.

    Args:
        settings: The release's.
        files: Names of the files beside the card.
    """
    script = (f"python3 {VERIFY_NAME}",) if VERIFY_NAME in files else ()
    own = f"With Maskloop: `python manage.py verify_release {settings.name}-{settings.version}`."
    digest = "The release's digest is `release_digest` in `manifest.json`; compare it with the one its publisher names."
    return (
        said(
            "In this folder, with nothing installed:"
            if script
            else "In this folder, with nothing installed but coreutils:"
        ),
        Commands((*script, "sha256sum -c SHA256SUMS")),
        said(own),
        said(digest),
    )


def loading_blocks(settings: ReleaseSettings, files: Collection[str]) -> tuple[Block, ...]:
    """How to load it; five commands from the packed release to nnU-Net, MONAI and 3D Slicer.

    Args:
        settings: The release's.
        files: Names of the files beside the card.
    """
    check = f"python3 {VERIFY_NAME}" if VERIFY_NAME in files else "sha256sum --quiet -c SHA256SUMS"
    lines = (
        f"unzip {folder}.zip && cd {folder}",
        check,
        f"python3 {CONVERTER_NAME} nnunet ../nnUNet_raw",
        f"python3 {CONVERTER_NAME} slicer ../slicer",
        _LOAD_MONAI,
    )
    further = (
        words("nnU-Net: set `nnUNet_raw` to that folder; `splits_final.json` in it has the suggested folds."),
        words("3D Slicer: open an image of a case and its file in `../slicer`, which holds the names of its segments."),
        words(f"MONAI (`pip install monai nibabel`): `{MONAI_NAME}` lists images, masks and folds."),
        words(f"pandas, R, a spreadsheet: `{TABLE_NAME}` has a line a case, `{IMAGES_NAME}` a line an image or mask."),
        words(
            f"Croissant (`pip install mlcroissant`): `mlcroissant load --jsonld {CROISSANT_NAME} --record_set cases`."
        ),
        words("BIDS tools: the folder is a BIDS dataset of derivatives."),
    )
    return (said("From the packed release to nnU-Net, 3D Slicer and MONAI:"), Commands(lines), Bullets(further))
