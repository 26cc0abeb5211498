"""Which T1 and T2 of which patient belong together, and which masks are theirs.

Imports `curation.names`, `curation.scanning` and `curation.series`.
"""
