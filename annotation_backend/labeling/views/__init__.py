"""Answers to Label Studio's requests (ML backend, webhook, door), and pages of versions, findings and settings.

Imports `labeling.interface`, `labeling.masks`, `labeling.models`, `labeling.predictions`, `labeling.project`,
`labeling.saves`, `labeling.studio`, `labeling.studio_door`, `labeling.versions` and `labeling.watch`.
"""
