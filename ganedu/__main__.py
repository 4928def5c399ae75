"""``python -m ganedu``: the command line, see ``ganedu.cli``."""

import sys

from ganedu.cli.parser import main

if __name__ == "__main__":
    sys.exit(main())
