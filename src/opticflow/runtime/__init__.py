"""What concerns the whole process: memory that its C library keeps, and processes forked from it."""
