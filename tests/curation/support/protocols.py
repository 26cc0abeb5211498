"""The protocol that most tests of curation use, and its two images."""

from datasets.study.shipped_protocols import shipped_protocol

MSTT = shipped_protocol("mstt-199")
T1_IMAGE, T2_IMAGE = MSTT.images
