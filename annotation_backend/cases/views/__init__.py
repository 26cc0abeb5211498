"""Pages and pictures of cases and patients.

Nothing of the app imports it but `cases.urls`.
"""
