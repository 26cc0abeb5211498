"""How trainings run here: their options, prepared cases in the data folder, and folds on other machines.

Imports `learning.fold_training`, `learning.splitting` and `learning.training_examples`.
"""
