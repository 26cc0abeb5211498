"""The report of models: the seeds' tables and figures, from evaluations that were made before.

Imports `training.evaluation` and `training.measures`.
"""
