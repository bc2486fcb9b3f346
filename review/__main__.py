"""`python -m review ...`."""

import gc

from review.cli import main

if __name__ == "__main__":
    # A review makes many objects, keeps them, and ends: collections would only cost time.
    gc.disable()
    main()
