"""Audit rules: what finds that a result is wrong or does not mean what it seems to."""
