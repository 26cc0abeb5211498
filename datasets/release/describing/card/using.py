"""The card's part for whoever has just fetched the release: verify it, and load it with the tools that they have."""

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


def verifying_blocks() -> tuple[Block, ...]:
    """How to see that all is there and whole."""
    does = (
        "It names every missing, extra or changed file, reads every archive and image to its last byte, and compares "
        "images, masks, labels and folds. `--state FILE` lets it go on where it was interrupted; `--help` says more. "
        "Without Python:"
    )
    digest = (
        "The release's digest is `release_digest` in `manifest.json`; compare it with the one its publisher names, or "
        f"give that to `python3 {VERIFY_NAME} --digest`."
    )
    return (
        said("In this folder, with nothing but Python 3.9 or later:"),
        Commands((f"python3 {VERIFY_NAME}",)),
        said(does),
        Commands(("sha256sum -c SHA256SUMS",)),
        said(digest),
    )


def loading_blocks(settings: ReleaseSettings) -> tuple[Block, ...]:
    """How to load it; five commands from the packed release to nnU-Net, MONAI and 3D Slicer.

    Args:
        settings: The release's.
    """
    folder = f"{settings.name}-{settings.version}"
    lines = (
        f"unzip {folder}.zip && cd {folder}",
        f"python3 {VERIFY_NAME}",
        f"python3 {CONVERTER_NAME} nnunet ../nnUNet_raw",
        f"python3 {CONVERTER_NAME} slicer ../slicer",
        _LOAD_MONAI,
    )
    further = (
        words(
            "nnU-Net: set `nnUNet_raw` to that folder; `splits_final.json` in the dataset's folder has the suggested "
            "folds, which nnU-Net takes from the folder of the same name in `nnUNet_preprocessed`."
        ),
        words("3D Slicer: open an image of a case and its file in `../slicer`, which holds the names of its segments."),
        words(f"MONAI: `{MONAI_NAME}` lists images, masks and folds, by their paths in this folder."),
        words(f"pandas, R, a spreadsheet: `{TABLE_NAME}` has a line a case, `{IMAGES_NAME}` a line an image or mask."),
        words(
            f"Croissant (`pip install mlcroissant`): `mlcroissant load --jsonld {CROISSANT_NAME} --record_set cases`."
        ),
        words("BIDS tools: the folder is a BIDS dataset of derivatives."),
    )
    told = "From the packed release to nnU-Net, 3D Slicer and MONAI; the last line needs `pip install monai nibabel`:"
    return (said(told), Commands(lines), Bullets(further))
