"""Error numbers. Kernel: include/uapi/asm-generic/errno-base.h"""

from typing import Final

EPERM: Final = 1
ENOENT: Final = 2
EINTR: Final = 4
EBADF: Final = 9
ECHILD: Final = 10
EAGAIN: Final = 11
ENOMEM: Final = 12
EACCES: Final = 13
EFAULT: Final = 14
EBUSY: Final = 16
EEXIST: Final = 17
EINVAL: Final = 22
EMFILE: Final = 24
EFBIG: Final = 27
ENOEXEC: Final = 8
EISDIR: Final = 21
ETXTBSY: Final = 26
ESPIPE: Final = 29
