"""What is paid out by the values, and the report that says why."""
