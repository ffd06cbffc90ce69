"""Runs a training and judges its accuracy:
train.py RESULT.json AT_LEAST [--reach PERCENT SECONDS] -- COMMAND...

The command prints a line of JSON an epoch (`eventprop train --json`). Exit status 1 if the last epoch's test
accuracy is below AT_LEAST per cent, or no epoch within so many seconds of training passed PERCENT.
"""

import json
import subprocess
import sys
import time


def main():
    split = sys.argv.index("--")
    path, at_least, *reach = sys.argv[1:split]
    goal, within = map(float, reach[1:]) if reach else (None, None)
    start = time.monotonic()
    result = {"at_least": float(at_least), "goal": goal, "within": within, "epochs": 0, "seconds": 0.0}
    process = subprocess.Popen(sys.argv[split + 1:], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if not line.startswith('{"epoch"'):
            print(line, end="", flush=True)
            continue
        add(result, json.loads(line), time.monotonic() - start)
        # Whatever comes next, this is known.
        with open(path, "w") as file:
            print(json.dumps(result), file=file)
        print("epoch {epochs}: {accuracy:.2f} % after {seconds:.2f} s of training, {wall:.2f} s in all".format(**result), flush=True)
    if process.wait() != 0 or result["epochs"] == 0:
        sys.exit(f"the training failed (status {process.returncode})")
    sys.exit("\n".join(missed(result)) or 0)


def add(result, epoch, wall):
    """Adds an epoch's record. `seconds` are of training alone, `wall` since the program was started."""
    result["epochs"] = epoch["epoch"]
    result["accuracy"] = 100 * epoch["test"]["accuracy"]
    result["seconds"] += epoch["seconds"]
    result["wall"] = wall
    if result["goal"] is not None and result["accuracy"] >= result["goal"] and "reached" not in result:
        result["reached"] = {"epoch": epoch["epoch"], "seconds": result["seconds"], "wall": wall}


def missed(result):
    if result["accuracy"] < result["at_least"]:
        yield "{accuracy:.2f} % is less than {at_least} %".format(**result)
    if result["goal"] is None:
        return
    if "reached" not in result:
        yield "{goal} % was never reached".format(**result)
    elif result["reached"]["seconds"] > result["within"]:
        yield "{goal} % was reached after {reached[seconds]:.2f} s, later than {within} s".format(**result)


if __name__ == "__main__":
    main()
