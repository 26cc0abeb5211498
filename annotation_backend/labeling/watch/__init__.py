"""What Label Studio shows is what we believe it shows: looked at again and again, named, and mended.

Imports `labeling.interface`, `labeling.models`, `labeling.saves` and `labeling.studio`.
"""
