"""Learning in the loop without a database: a simulated annotator corrects drafts, and the next model learns from that.

Imports `training.annotators`, `training.evaluation`, `training.fitting`, `training.measures`, `training.methods`,
`training.reports`, `training.segmenters` and `training.table`.
"""
