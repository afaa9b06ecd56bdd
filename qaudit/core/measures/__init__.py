"""What is measured: arrays in, numbers out."""
