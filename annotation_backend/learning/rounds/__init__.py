"""Rounds of annotating, approving and training with a simulated annotator: in a folder, or in a study of the database.

Imports `learning.examples`, `learning.retraining` and `learning.running`.
"""
