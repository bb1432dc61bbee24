from __future__ import annotations

import sys
from pathlib import Path

# Makes run_tiny importable in importlib mode and in the processes that tests start.
sys.path.insert(0, str(Path(__file__).parent))
