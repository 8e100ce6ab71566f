"""The disk by itself, at the same time and in the same folder: how long 4 KiB and a sync take without the program.

An answer waits for such a sync, so no post is quicker than this; a busy disk shows here as it shows there.
"""

import os
import time
from array import array

EVERY_SECONDS = 0.1
BYTES, FILE_BYTES_MAX = 4096, 4 * 1024 * 1024


def probe(folder, end):
    """Seconds that each write took, until the end."""
    took = array("d")
    file = os.open(folder / "probe", os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        while time.monotonic() < end:
            began = time.monotonic()
            os.pwrite(file, bytes(BYTES), len(took) * BYTES % FILE_BYTES_MAX)
            os.fdatasync(file)
            took.append(time.monotonic() - began)
            time.sleep(EVERY_SECONDS)
    finally:
        os.close(file)
    return took
