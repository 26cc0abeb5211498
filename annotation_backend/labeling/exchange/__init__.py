"""Label Studio's export files to NIfTI, and label maps to files of tasks, without the database.

Imports `labeling.masks`.
"""
