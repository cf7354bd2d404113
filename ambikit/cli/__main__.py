"""``python -m ambikit.cli``."""

import sys

from ambikit.cli import main

sys.exit(main())
