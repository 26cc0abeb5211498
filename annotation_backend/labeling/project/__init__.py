"""Our project in Label Studio: made, published to, its people, and whether it is still there.

Imports `labeling.watch`, `labeling.saves`, `labeling.interface`, `labeling.studio_server` and what these import.
"""
