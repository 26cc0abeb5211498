"""Pages: agreement of readers, adjudication, and control cases.

Imports `readers.adjudication`, `readers.agreement`, `readers.controls` and `readers.models`.
"""
