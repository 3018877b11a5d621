"""Data sources: values that are read outside before anything is planned."""
