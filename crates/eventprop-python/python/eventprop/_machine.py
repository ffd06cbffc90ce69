"""Whether this machine can run what the wheel holds."""

import platform
from pathlib import Path

#: What x86-64-v3 has beyond what every 64-bit processor has, as far as it is used.
_NEEDED = ("avx2", "bmi2", "fma")


def check(cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """Raise an ImportError in place of the crash that the first instruction would be."""
    if platform.machine() != "x86_64":
        return
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return
    flags = next((set(line.split()) for line in lines if line.startswith("flags")), None)
    missing = [name for name in _NEEDED if flags is not None and name not in flags]
    if missing:
        raise ImportError(
            f"eventprop is built for x86-64-v3, and this processor has no {', '.join(missing)}; "
            "build it from source with other rustflags"
        )
