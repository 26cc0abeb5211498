"""Talking to Label Studio: requests, answers, credentials, tasks.

Imports `labeling.models` and `labeling.studio_door`.
"""
