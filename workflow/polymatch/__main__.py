"""``python -m polymatch``: the program, where it is not installed."""

import sys

from polymatch.commands import main

if __name__ == "__main__":
    sys.exit(main())
