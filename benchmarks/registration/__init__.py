"""How fast and how well cases are registered, on pairs whose motion is known."""
