"""The table of methods: what each one is, and where its functions are.

Imports nothing else of `training`: functions are named here, and looked up when they are called.
"""
