"""Arguments that commands share, and how a command refuses.

Imports no app.
"""
