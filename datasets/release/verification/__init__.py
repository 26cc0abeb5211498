"""Verifying a release with Python's own library alone, here and as the one file ``verify.py`` in every release.

`checking` is the whole way: `tree` lists the folder, `lists` reads manifest and SHA256SUMS, `pool`, `reading` and
`contents` read the files, `placing` names what is missing, extra or doubled, `cases` compares cases and folds, `seen`
remembers what was whole. `command` is its command line. `script` joins all of it, and what it takes from other modules,
into one file.

All but `script` runs with Python 3.9 and later.
"""
