"""What datasets are called elsewhere, made of a release's name."""

from datasets.release.exports.options import ExportOptions
from datasets.release.exports.source import ReleaseSource

LONGEST = 40


def dataset_name(source: ReleaseSource, options: ExportOptions) -> str:
    """The name that a person gave, or the release's with capitals for its hyphens: ``ThighTumours``."""
    if options.dataset_name:
        return options.dataset_name
    return "".join(word.capitalize() for word in source.name.split("-"))[:LONGEST]
