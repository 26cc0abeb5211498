"""Releases: frozen folders of images, masks and their manifest, which anyone can verify.

`request` describes a release to be built, `build` writes one, `manifest` is its list of files and where they came from
(`manifest_reading` reads it, `former_manifest` is that of schema 1),
`card` describes it to people, and `verify` compares a folder with its manifest.

Imports `datasets.formats`, `datasets.image` and `datasets.study`.
"""
