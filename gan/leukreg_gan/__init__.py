"""The conditional GAN of leukreg: networks, losses, training, sampling, its generator plugin."""
