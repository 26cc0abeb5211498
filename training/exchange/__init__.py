"""Exchange: models that go to other programs and come from them, as MONAI Bundles and nnU-Net folders.

Imports `training.fitting`, `training.inputs`, `training.networks`, `training.segmenters` and `training.table`.
"""
