"""Formulas of the built-in metrics, over one set of rows or many resamples at once."""
