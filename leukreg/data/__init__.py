"""Samples, pixels and folds: everything between the files of a user and the rows of a run."""
