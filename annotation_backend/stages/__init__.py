"""Stages: a case's way through its protocol, who is assigned to which piece of work, and each reader's own result."""
