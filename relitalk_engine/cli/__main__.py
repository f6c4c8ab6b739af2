"""`python -m relitalk_engine.cli` is `relitalk`."""

import sys

from .main import main

sys.exit(main())
