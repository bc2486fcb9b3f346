"""The programs that the benchmark of the app compares it with."""
