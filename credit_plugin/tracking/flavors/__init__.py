"""MLflow flavors of diffusion models and of values: hashed files, no pickle, no code."""
