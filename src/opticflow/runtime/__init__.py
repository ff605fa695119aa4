"""What concerns the whole process: memory that its C library keeps, processes forked from it, and Ctrl-C."""
