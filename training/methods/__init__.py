"""The methods that can be trained, and how each is trained, loaded and tried.

Imports `training.fitting`, `training.inputs`, `training.networks`, `training.prompts` and `training.segmenters`.
"""
