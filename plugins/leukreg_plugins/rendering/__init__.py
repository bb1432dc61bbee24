"""Draws fields of stained blood smears; used by the ``demo`` source."""
