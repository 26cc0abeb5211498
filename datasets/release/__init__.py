"""Releases: frozen folders of images, masks and their manifest, which anyone can verify.

`settings` and `release_case` describe a release to be built, `publication` what its publisher says, `codes` and
`paths` name what is in it, `build` writes one (`case_files` and `records` its cases, `describing` all other files),
`manifest` is its list of files and cases (`manifest_reading` reads it, `manifest_1` and `manifest_2` are those of
former schemas), and `verify` compares a folder with its manifest. `correcting` is about what comes afterwards: errata,
withdrawn patients, and files beside a release; `stores` publishes and fetches, `archives` packs.

Imports `datasets.archives`, `datasets.dicom`, `datasets.dicom_series`, `datasets.formats`, `datasets.image`,
`datasets.pages`, `datasets.pictures` and `datasets.study`.
"""
