"""Makes the starter pack that tells several touching animals from one: drawn crops, a small network, training, figures, pack."""
