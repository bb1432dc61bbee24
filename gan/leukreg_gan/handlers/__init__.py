"""What happens around a training step: one handler, one file."""
