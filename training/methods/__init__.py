"""Methods: how each is trained, cross-validated, packaged, loaded and tried.

Imports `training.evaluation`, `training.fitting`, `training.networks`, `training.prompts`, `training.segmenters` and
`training.table`.
"""
