"""Settings of the whole process: memory kept by its C library, forked processes, and Ctrl-C."""
