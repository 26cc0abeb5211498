"""Work that workers do for a case, in a folder of their own: it knows files and no database.

Imports nothing else of `cases`.
"""
