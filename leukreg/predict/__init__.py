"""What happens with trained models afterwards: predict, explain, export, evaluate elsewhere."""
