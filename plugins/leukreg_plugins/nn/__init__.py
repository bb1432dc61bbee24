"""The torch modules behind the plugins; imported inside ``build`` only, since torch is slow."""
