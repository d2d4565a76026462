"""``python -m rnnxai`` is ``rnnxai``."""

import sys

from rnnxai.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
