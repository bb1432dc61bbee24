"""Sections of a report, each a plugin beside the tables and figures that it shows."""
