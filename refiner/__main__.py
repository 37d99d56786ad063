"""`python -m refiner` is the command `refiner`."""

import sys

from refiner.cli.main import main

sys.exit(main())
