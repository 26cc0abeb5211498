"""What models draw on tasks, before anybody asks and at every click.

Imports `labeling.interface`, `labeling.masks`, `labeling.models`, `labeling.saves`, `labeling.studio` and
`labeling.versions`.
"""
