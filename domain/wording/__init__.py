"""What people read, in each language that we write."""
