"""How a training's cases are split: the options, the folds and the check for leaks.

Imports `learning.examples`.
"""
