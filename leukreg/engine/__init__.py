"""From a checked recipe and a fold to a trained model and its predictions."""
