"""How a fit runs, whatever it fits: settings, state and checkpoints, precision, processes, memory, what is told.

Imports `training.fitting.examples`.
"""
