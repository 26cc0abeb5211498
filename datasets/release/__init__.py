"""Releases: frozen folders of images, masks and their manifest, which anyone can verify.

`request` says what goes into a release, `build` writes one, `manifest` is its list of files and where they came from,
`card` describes it to people, and `verify` compares a folder with its manifest.

Imports `datasets.formats`, `datasets.image` and `datasets.study`.
"""
