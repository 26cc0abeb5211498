"""What workers compute for a case, in a folder of their own: it knows files and no database.

Imports nothing else of `cases`.
"""
