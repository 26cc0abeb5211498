"""What changed between two versions of a release, in figures and pictures, whatever the schemas of their manifests.

`comparison` is the whole way: `opened` reads a release and `opened_case` a case of it, `matching` finds which case is
which, `case_comparison` compares words, grids, images and masks, `change_pictures` draws what changed, `report` makes
page, tables and document. `changes` holds what is found.

Imports `datasets.release.verification`.
"""
