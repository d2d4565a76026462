"""How memory of a job comes and goes."""

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt, as malloc.h numbers them
_LARGEST_IN_HEAP = 2**25  # bytes; the C library takes no more


def keep_freed_memory() -> bool:
    """Let the C library keep what is freed, for what is needed next.

    It returns large blocks to the kernel, which clears every page of the next one: a training step of seven
    folds meets thousands of these, and an explanation of 192 steps loses a sixth of its time to them.

    It is a setting of the whole process, so jobs and benchmarks choose it, and no function of the library.

    Returns
    -------
    bool
        Whether it does: the GNU C library, which Linux has, can be told.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST_IN_HEAP)) and bool(mallopt(_TRIM_THRESHOLD, 2**31 - 1))
