"""One folder a kind of step."""
