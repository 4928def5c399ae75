"""Memory that is kept between rounds, where the C library would hand it back and fetch it again.

A round asks for the same large blocks as the one before. glibc gives blocks that big back to the system when they are freed
and the system clears each page of them anew when they are asked for again: thousands of page faults a round, in which
nothing is computed. ``keep_memory()`` tells glibc to hold on to what it has. What is computed is the same to the bit; a
process keeps the memory of its largest round.
"""

import ctypes
import os
import sys
from functools import lru_cache

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # from glibc's malloc.h
TOP_PAD = 256 * 2**20  # bytes that are fetched beyond what is asked for, so that the heap grows in few steps
OF_THE_USER = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_MAX_", "GLIBC_TUNABLES")


def is_glibc():
    """Whether memory comes from glibc's own malloc: not from another C library, nor from an allocator loaded before it."""
    if not sys.platform.startswith("linux") or os.environ.get("LD_PRELOAD"):
        return False
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (OSError, ValueError):  # a C library that does not know the question
        return False


@lru_cache(maxsize=1)
def keep_memory():
    """Let this process keep freed memory for its next round; once is enough. Returns whether it does.

    Nothing is changed where memory does not come from glibc, or where one of its environment variables is set: whoever set
    it knows better.
    """
    if not is_glibc() or any(name in os.environ for name in OF_THE_USER):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, TOP_PAD))
    return all(mallopt(name, value) == 1 for name, value in settings)
