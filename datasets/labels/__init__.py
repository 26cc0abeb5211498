"""What the values of a label map mean.

Imports nothing but the ground floor.
"""
