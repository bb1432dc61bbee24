"""How the built-in reports put figures into words and tables."""
