"""Models that come from other programs, and cases that go to nnU-Net.

Imports `learning.examples`, `learning.retraining` and `learning.splitting`.
"""
