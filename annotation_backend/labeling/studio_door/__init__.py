"""The door of Label Studio: who comes in, and to what; read by Label Studio's own process, which is not our Django.

Imports no room of ours beside it.
"""
