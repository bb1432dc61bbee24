"""The audit: what is wrong with a run, or with a published result."""
