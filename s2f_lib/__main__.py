"""``python -m s2f_lib`` is the command `s2f`."""

import sys

from s2f_lib.cli import main

sys.exit(main())
