"""Methods: how each is trained, cross-validated, packaged, loaded and tried.

Imports `training.fitting`, `training.inputs`, `training.networks`, `training.prompts` and `training.segmenters`.
"""
