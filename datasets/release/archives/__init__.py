"""A release in archives: whole or in parts of a size, and patches that make the next version of the one before.

`contents` says which files go in, `parts` which into which archive, `writing` writes them with README and digests
(`texts`), `pack` is the whole way. `patch` compares two versions; `apply_patch` is shipped as it is in every patch.

Imports `datasets.release.stores` and `datasets.release.verification`.
"""
