"""Archives: those of strangers, unpacked without leaving a folder or passing a limit, and ours (`zip_writing`).

Imports no room beside it.
"""
