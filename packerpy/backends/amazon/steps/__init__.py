"""What is acquired at Amazon, one file for each kind of thing."""
