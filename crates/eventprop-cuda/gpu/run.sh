#!/bin/bash
# Everything that needs a GPU, in 8 minutes at most: run.sh [OUTPUT] [toy]
# With "toy" the same steps on the emulator, at sizes for it. Exit status 1 if a step failed.
set -u
here=$(cd "$(dirname "$0")" && pwd)
output=${1:-$here/results}
toy=${2:-}
mkdir -p "$output"
cd "$here"
[ -d /usr/local/nvidia/lib64 ] && export LD_LIBRARY_PATH=/usr/local/nvidia/lib64:${LD_LIBRARY_PATH:-}
export REQUIRE_GPU=1
[ -n "$toy" ] && export SIMT_LIBRARY=$here/libcuda.so.1
failed=0

# step NAME SECONDS COMMAND...: runs it under a limit, its output in a file of the name.
step() {
    local name=$1 limit=$2 start=$SECONDS
    shift 2
    if timeout "$limit" "$@" > "$output/$name" 2> "$output/$name.err"; then
        echo "ok      $name ($((SECONDS - start)) s)"
    else
        echo "FAILED  $name (status $?, $((SECONDS - start)) s): see $output/$name and $name.err"
        tail -n 3 "$output/$name.err"
        failed=1
    fi
}

if [ -z "$toy" ]; then
    step nvidia-smi.txt 30 nvidia-smi
fi
for test in probe small conformance agreement; do
    step "test-$test.txt" 90 "./test-$test" --test-threads=1
done

sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2> /dev/null)
if [ -z "$toy" ] && [ -n "$sanitizer" ]; then
    for tool in memcheck racecheck initcheck synccheck; do
        step "sanitizer-$tool.txt" 40 "$sanitizer" --tool $tool --error-exitcode 1 ./test-small --test-threads=1
        if grep -q "Device not supported" "$output/sanitizer-$tool.txt" "$output/sanitizer-$tool.txt.err"; then
            echo "        (not run: compute-sanitizer does not support this device)"
        fi
    done
else
    echo "        compute-sanitizer: not run (not found)"
fi

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
    train=(./eventprop train --backend cuda --epochs 1 --run-dir "$output/runs")
    step train-mnist.txt 300 "${train[@]}" --data-folder "$output/data"
    step train-yin-yang-delays.txt 120 "${train[@]}" --preset yin-yang-delays --set "$few"
    step speed.json 120 ./speed toy
    step torch.json 120 python3 bench_torch.py toy
    step train-events.txt 300 "${train[@]}" --preset events --data-folder "$output/data"
else
    train=(./eventprop train --backend cuda --run-dir "$output/runs")
    step train-mnist.txt 90 "${train[@]}" --epochs 10
    step train-yin-yang-delays.txt 60 "${train[@]}" --preset yin-yang-delays --epochs 20
    step speed.json 120 ./speed
    step torch.json 90 python3 bench_torch.py
    step train-events.txt 90 "${train[@]}" --preset events --epochs 1
fi
python3 table.py "$output/speed.json" "$output/torch.json" | tee "$output/table.txt"
exit $failed
