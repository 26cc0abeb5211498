"""What is found wrong with a release after it went out, and patients who must leave: errata, tombstones, proofs.

A release never changes, so all of it lies beside its folder, in files that `beside` names and writes. `erratum_report`
reads what a reader reports, `errata_file` lists it, `mended` says whether a later version puts it right; `tombstone`
names the files of withdrawn cases that others should delete, and `absence` proves that a version holds no voxel of
them, by the digests of `held_volumes`.

Imports `datasets.release.comparing` and `datasets.release.describing`.
"""
