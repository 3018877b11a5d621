"""What is acquired, one file each."""
