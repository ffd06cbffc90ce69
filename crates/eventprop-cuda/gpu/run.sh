#!/bin/bash
# Everything that needs a GPU: run.sh [OUTPUT] [toy]. Three minutes and a half on an H200; it ends after GPU_PACK_SECONDS (460), whatever was
# not run by then. With "toy" the same steps on the emulator, at sizes for it. Exit status 1 if a step failed.
# What matters most comes first, and OUTPUT/summary.md is up to date after every step.
set -u
here=$(cd "$(dirname "$0")" && pwd)
output=$(mkdir -p "${1:-$here/results}" && cd "${1:-$here/results}" && pwd)
toy=${2:-}
cd "$here"
[ -d /usr/local/nvidia/lib64 ] && export LD_LIBRARY_PATH=/usr/local/nvidia/lib64:${LD_LIBRARY_PATH:-}
export REQUIRE_GPU=1
# One order of threads: whether the tests pass under the others is not this script's question.
[ -n "$toy" ] && export SIMT_POLICY=0
end=${GPU_PACK_SECONDS:-$([ -n "$toy" ] && echo 3600 || echo 460)}
failed=0

# tell OUTCOME NAME REMARK: a line for people and one for the summary.
tell() {
    printf '%-14s%s %s\n' "$1" "$2" "$3"
    echo "${1// /-} $2" >> "$output/steps.txt"
    python3 table.py "$output" > "$output/summary.new" && mv "$output/summary.new" "$output/summary.md"
}

# step NAME SECONDS COMMAND...: runs it under a limit, its output in a file of the name. With late=fine running out of
# time is no failure.
late=
step() {
    local name=$1 limit=$2 start=$SECONDS status
    shift 2
    # The end of all is no step's fault either.
    [ $((end - SECONDS)) -lt "$limit" ] && limit=$((end - SECONDS)) && local late=fine
    if [ "$limit" -lt 3 ]; then
        tell "not run" "$name" "(no time left)"
        return
    fi
    timeout --kill-after=5 "$limit" "$@" > "$output/$name" 2> "$output/$name.err"
    status=$?
    # Killed since it did not heed the end of its time.
    [ $status = 137 ] && status=124
    if grep -qsE "Device not supported|LibraryNotLoaded" "$output/$name" "$output/$name.err"; then
        tell "not run" "$name" "(the tool does not support this device)"
    # What compute-sanitizer found counts, also if it did not get to its end.
    elif grep -qsE "^========= (Invalid|Uninitialized|Error|Barrier|Program hit|Fatal)" "$output/$name" "$output/$name.err"; then
        tell FAILED "$name" "(it found something): see $name and $name.err"
        grep -hE "^=========" "$output/$name" "$output/$name.err" | head -n 3
        failed=1
    elif [ $status = 0 ]; then
        tell ok "$name" "($((SECONDS - start)) s)"
    elif [ $status = 124 ] && [ "$late" = fine ]; then
        tell "not finished" "$name" "($limit s)"
    else
        tell FAILED "$name" "(status $status, $((SECONDS - start)) s): see $name and $name.err"
        tail -n 3 "$output/$name.err"
        failed=1
    fi
}

# tool NAME: where it is, if anywhere.
tool() {
    command -v "$1" || ls "/usr/local/cuda/bin/$1" 2> /dev/null
}

# train NAME SECONDS AT_LEAST [--reach PERCENT SECONDS] -- ARGUMENTS...: a training, and the accuracy it must reach.
train() {
    local name=$1 limit=$2 demands=()
    shift 2
    while [ "$1" != -- ]; do demands+=("$1"); shift; done
    shift
    step "train-$name.txt" "$limit" python3 train.py "$output/train-$name.json" "${demands[@]}" -- \
        ./eventprop train --backend cuda --json --run-dir "$output/runs" "$@"
}

# profile SAMPLES BATCH EVENTS [seed|grid]: what the profiler says of some steps.
profile() {
    step "kernels-${4:+$4-}$2-$3.csv" 40 "$ncu" --clock-control none --csv --page raw --profile-from-start off --launch-count 40 --metrics \
        gpu__time_duration.sum,smsp__inst_executed.sum,lts__t_sectors_srcunit_tex.sum,dram__bytes.sum,launch__registers_per_thread \
        ./speed ${4:+"$4"} "$1" "$2" "$3"
}

python3 programs.py unpack || exit 1
rm -f "$output/steps.txt"
device="the emulator, at toy sizes"
[ -n "$toy" ] || device=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | sed 's/, /, driver /' | head -n 1)
echo "Measured by \`gpu-pack/run.sh\` on $(date -u +%F): $device; commit $(cat commit)." | tee "$output/about.txt"

if [ -n "$toy" ]; then
    threads=1 limit=300
    # What a real run leaves, in short.
    step table.txt 30 diff sample/summary.md <(python3 table.py sample)
else
    threads=4 limit=90
    step nvidia-smi.txt 30 nvidia-smi
fi
for test in probe small grid conformance agreement consistency skip recurrent constants recovery unheard own_loss spiking_readout recovering_readout highest; do
    chosen=()
    # On the emulator cargo xtask cuda-emulate runs them all; what is asked here is whether each file starts.
    [ -n "$toy" ] && chosen=(--exact "$("./test-$test" --list --format=terse | sed -n '1s/: test$//p')")
    step "test-$test.txt" $limit "./test-$test" --test-threads=$threads "${chosen[@]}"
done

# The least accuracies: what one epoch, three or twenty brought on the CPU, and about a point less.
if [ -n "$toy" ]; then
    # A data set of 16 noisy images, in MNIST's format.
    python3 - "$output/data" << 'END'
import os, random, struct, sys
os.makedirs(sys.argv[1], exist_ok=True)
for name in ("train", "t10k"):
    with open(f"{sys.argv[1]}/{name}-images-idx3-ubyte", "wb") as file:
        file.write(struct.pack(">IIII", 0x803, 16, 28, 28) + bytes(random.choices([0] * 9 + [200], k=16 * 784)))
    with open(f"{sys.argv[1]}/{name}-labels-idx1-ubyte", "wb") as file:
        file.write(struct.pack(">II", 0x801, 16) + bytes(range(10)) + bytes(6))
END
    few='data.draws={train={size=64,seed=1},validation={size=32,seed=2},test={size=32,seed=3}}'
    images=(--epochs 1 --data-folder "$output/data")
    train mnist 300 0 --reach 0 300 -- "${images[@]}"
    step speed.json 120 ./speed toy
    step torch.json 120 python3 bench_torch.py toy
    tell "not run" kernels-1024-150.csv "(the profiler needs a GPU)"
    train seed 120 0 -- --preset seed "${images[@]}"
    train seed-deep 120 0 -- --preset seed-deep "${images[@]}"
    train yin-yang-delays 120 0 -- --preset yin-yang-delays --epochs 1 --set "$few"
    train mnist-paper 300 0 -- --preset mnist-paper --set data.validation=4 "${images[@]}"
    train mnist-conv 300 0 -- --preset mnist-conv "${images[@]}"
    train events 300 0 -- --preset events "${images[@]}"
    tell "not run" sanitizer-memcheck.txt "(compute-sanitizer needs a GPU)"
else
    train mnist 60 98.0 --reach 97.5 5 -- --epochs 10
    late=fine
    step speed.json 150 ./speed
    late=
    step torch.json 60 python3 bench_torch.py
    if ncu=$(tool ncu); then
        profile 4096 1024 150
        profile 512 16 150
        profile 2048 128 784 grid
        profile 2048 128 784 seed
    else
        tell "not run" kernels-1024-150.csv "(no ncu)"
    fi
    late=fine
    sanitizer=$(tool compute-sanitizer) || tell "not run" sanitizer-memcheck.txt "(no compute-sanitizer)"
    for check in ${sanitizer:+memcheck racecheck initcheck synccheck}; do
        step "sanitizer-$check.txt" 60 "$sanitizer" --tool $check --error-exitcode 1 ./test-small --test-threads=1
    done
    late=
    train seed 20 85.0 -- --preset seed --epochs 10
    train seed-deep 20 91.0 -- --preset seed-deep --epochs 4
    train yin-yang-delays 40 96.5 -- --preset yin-yang-delays --epochs 20
    train mnist-paper 40 94.0 -- --preset mnist-paper --epochs 3
    train mnist-conv 60 97.0 -- --preset mnist-conv --epochs 1
    train events 80 95.0 -- --preset events --epochs 1
    cat "$output/summary.md"
fi
[ -n "$toy" ] && cat "$output/summary.md"
exit $failed
