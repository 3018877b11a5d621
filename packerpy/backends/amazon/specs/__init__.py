"""What a user declares; frozen values that load no library."""
