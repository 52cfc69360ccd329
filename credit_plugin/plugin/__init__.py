"""MLflow entry points. They load in every mlflow process: nothing heavy is imported here."""
