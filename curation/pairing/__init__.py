"""Chooses the images of each patient that fit together, and finds the masks that belong to them.

Imports `curation.names`, `curation.scanning` and `curation.series`.
"""
