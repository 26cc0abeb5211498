"""De-identification of DICOM: the standard's table, our lists beside it, and the actions.

Imports nothing else of `curation`.
"""
