"""What Label Studio and browsers ask for.

Imports `labeling.interface`, `labeling.masks`, `labeling.models`, `labeling.predictions`, `labeling.project`,
`labeling.saves`, `labeling.studio`, `labeling.versions` and `labeling.watch`.
"""
