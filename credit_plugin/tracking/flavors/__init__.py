"""MLflow flavors of diffusion models and of values: files with hashes, never pickles, never code."""
