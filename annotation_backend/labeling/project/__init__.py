"""Our project in Label Studio: made, published to, its people, and whether it is still there.

Imports `labeling.interface`, `labeling.models`, `labeling.saves`, `labeling.studio`, `labeling.studio_door`,
`labeling.studio_server` and `labeling.watch`.
"""
