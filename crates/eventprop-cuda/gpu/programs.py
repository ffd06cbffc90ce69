"""Programs as one file, in which what they have in common, the kernels and the engine, is there once:
`programs.py pack NAME...` puts some into it and removes them, `programs.py unpack` brings them back."""

import lzma
import os
import sys
import tarfile

ARCHIVE = "programs.tar.xz"
# Fast, but it looks back further than a program is long.
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 1, "dict_size": 32 << 20}]


def pack(names):
    with lzma.open(ARCHIVE, "wb", filters=FILTERS) as file, tarfile.open(fileobj=file, mode="w") as archive:
        for name in names:
            archive.add(name)
    for name in names:
        os.remove(name)


def unpack():
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall()


if __name__ == "__main__":
    pack(sys.argv[2:]) if sys.argv[1] == "pack" else unpack()
