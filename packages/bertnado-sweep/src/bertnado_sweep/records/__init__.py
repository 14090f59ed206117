"""What is written to the output directory, and read back."""
