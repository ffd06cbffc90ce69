#!/bin/sh
# Builds the stand-in for libcuda.so.1: build.sh KERNELS OUTPUT [plain | rounding | racecheck | tsan | initcheck]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
kernels=$1
output=$2
cxx=${CXX:-g++}
# Products are not fused: bits are those of any machine, but for one that rounds as a GPU may.
contract=off
[ "${3:-}" = rounding ] && contract="fast -DSIMT_ROUNDING"
# The variables of a thread have no initialisers to be looked for.
flags="-std=c++17 -O2 -march=x86-64-v3 -ffp-contract=$contract -g -fPIC -fno-extern-tls-init -Wall -Wextra -Wno-unknown-pragmas -I$here -I$kernels -include $here/simt.h"
# Under ThreadSanitizer shared memory is thread-local too, and too large for this faster way to it.
tls=-ftls-model=initial-exec
instrument=""
more=""
watch=""
if [ "${3:-}" = tsan ]; then
    flags="$flags -DSIMT_TSAN"
    # The kernels alone are watched: the emulator tells the sanitizer of its threads and barriers itself.
    instrument=-fsanitize=thread
    tls=""
    more=$instrument
elif [ "${3:-}" = initcheck ]; then
    flags="$flags -DSIMT_WATCH"
    # Every read and write of the kernels is told to initcheck.cpp.
    instrument="-fsanitize=kernel-address --param asan-instrumentation-with-call-threshold=0 --param asan-stack=0 --param asan-globals=0"
    watch=initcheck
elif [ "${3:-}" = racecheck ]; then
    flags="$flags -DSIMT_WATCH"
    # Every read, write and atomic of the kernels is told to racecheck.cpp.
    instrument="-fsanitize=thread --param tsan-instrument-func-entry-exit=0"
    watch=racecheck
fi
mkdir -p "$output"
{
    echo '#include "all.cu"'
    cat "$kernels"/*.cu | sed -n 's/^extern "C" __global__ void \(__launch_bounds__([A-Z_, 0-9]*) \)*\([a-z0-9_]*\)(.*/SIMT_KERNEL(\2)/p'
} > "$output/kernels.cpp"
$cxx $flags $tls $instrument -c "$output/kernels.cpp" -o "$output/kernels.o"
$cxx $flags $tls -c "$here/simt.cpp" -o "$output/simt.o"
$cxx $flags $tls -c "$here/fakecuda.cpp" -o "$output/fakecuda.o"
if [ -n "$watch" ]; then
    more="$output/watch.o"
    $cxx $flags $tls -c "$here/$watch.cpp" -o "$more"
fi
$cxx -shared -Wl,-Bsymbolic -Wl,-soname,libcuda.so.1 -o "$output/libcuda.so.1" \
    "$output/kernels.o" "$output/simt.o" "$output/fakecuda.o" $more -lpthread
# The stand-in for NCCL finds the driver's stand-in by its name, when both are loaded.
$cxx -std=c++17 -O2 -g -fPIC -Wall -Wextra -shared -Wl,-soname,libnccl.so -o "$output/libnccl.so" \
    "$here/fakenccl.cpp" -L"$output" -l:libcuda.so.1 -lpthread
