"""Pages and endpoints inside the MLflow server: ``mlflow server --app-name credit``."""
