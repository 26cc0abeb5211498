"""The processes of one installation: started, kept running, known to each other; jobs whose worker died.

Imports no app.
"""
