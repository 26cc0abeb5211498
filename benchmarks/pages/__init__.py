"""How long pages take in a large study: a database filled with rows alone, and every page asked for as each role."""
