"""How trainings run here: their options, prepared cases in the data folder, and folds on other machines.

Imports `learning.examples`, `learning.fold_training` and `learning.splitting`.
"""
