"""`python -m rerank_cli` is the same program as `rerank`."""

import sys

from rerank_cli.cli.main import main

sys.exit(main())
