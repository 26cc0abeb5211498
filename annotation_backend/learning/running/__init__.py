"""How trainings run here: their options, folds on other machines, and what they keep in the data folder meanwhile.

Imports `learning.examples`, `learning.fold_training`, `learning.runs` and `learning.splitting`.
"""
