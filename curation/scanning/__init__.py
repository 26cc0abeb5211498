"""What lies in a folder of studies: series, volumes, masks and the table beside them.

Imports `curation.names`.
"""
