"""The disk by itself, at the same time and in the same folder: how long 4 KiB and a sync take without the program.

An answer waits for such a sync, so no post is quicker than this; a busy disk shows here as it shows there.
"""

import os
import time
from array import array

EVERY_SECONDS = 0.1
BYTES, FILE_BYTES_MAX = 4096, 4 * 1024 * 1024


def probe(folder, end):
    """When each write began, and how many seconds it took, until the end."""
    at, took = array("d"), array("d")
    file = os.open(folder / "probe", os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        # Once, so that a sync later changes no length: it disturbs the program as little as it can.
        os.pwrite(file, bytes(FILE_BYTES_MAX), 0)
        os.fsync(file)
        while time.monotonic() < end:
            began = time.monotonic()
            os.pwrite(file, bytes(BYTES), len(took) * BYTES % FILE_BYTES_MAX)
            os.fdatasync(file)
            at.append(began)
            took.append(time.monotonic() - began)
            time.sleep(EVERY_SECONDS)
    finally:
        os.close(file)
    return list(zip(at, took))
