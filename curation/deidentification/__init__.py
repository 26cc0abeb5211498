"""What may stay in a DICOM object that leaves: the standard's table, our lists beside it, and the actions.

Imports nothing else of `curation`.
"""
