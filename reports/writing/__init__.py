"""Pages, plots and published reports; nothing here judges.

Pictures are drawn with the settings in ``matplotlibrc`` beside this file, and with no others.
matplotlib reads a file of settings while it is imported, first of all one in the working folder,
and an unreadable one stops it.
"""

import contextlib
import os
from pathlib import Path

_HERE = Path(__file__).parent

os.environ.pop("MPLBACKEND", None)  # pictures go to files, and an unknown name stops the import
with contextlib.chdir(_HERE):
    import matplotlib

matplotlib.rc_file(_HERE / "matplotlibrc")
