"""What Label Studio and browsers ask for.

Nothing of the app imports it but `labeling.urls`.
"""
