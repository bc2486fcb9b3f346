"""The page as people use it: a real browser, the real app, the embedded AWS."""
