"""What can be looked up at Amazon before anything is planned."""
