"""The asv suite, and the catalog of losses that tests, benchmarks and reports iterate over.

asv imports this package from the working tree but must import ``diffbio`` from the
environment of the commit under test. The root, where ``reference`` lives, therefore goes
to the *end* of the path: in front it would put the working tree's ``diffbio`` first.
"""

import sys
from pathlib import Path

_ROOT = str(Path(__file__).resolve().parent.parent)
if _ROOT not in sys.path:
    sys.path.append(_ROOT)
