"""A release in the words of catalogues and loaders, each by hand: BIDS, Croissant, DataCite, CITATION.cff, MONAI.

`licences` knows the addresses of licences that most data go out under.

Imports `datasets.release.describing.card`.
"""
