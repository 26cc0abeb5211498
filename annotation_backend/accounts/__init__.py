"""People, their roles and permissions, and how they sign in."""
