"""Sweeps: many runs of varied recipes, their folds handed to executors, and what came of them."""
