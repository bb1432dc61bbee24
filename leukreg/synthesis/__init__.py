"""Synthetic images: made inside the training fold, judged, kept with their lineage."""
