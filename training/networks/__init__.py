"""Networks: torch modules and nothing else. Import the modules here only when a network is needed: torch is slow.

Imports `training.inputs`.
"""
