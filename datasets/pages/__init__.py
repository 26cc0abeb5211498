"""Pages that need no server and no script: their style, cards, tables and plots, and the same tables as CSV.

Imports nothing.
"""
