"""`python -m relitalk_engine` is `relitalk`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
