"""`python -m edge_mrl`: the command line, where `edge-mrl` is not on the path."""

import sys

from edge_mrl.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
