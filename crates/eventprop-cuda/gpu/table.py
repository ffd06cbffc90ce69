"""Everything that a run measured, as Markdown: table.py RESULTS. What is missing is left out."""

import json
import os
import re
import sys

import kernels

HIDDEN = "784-350-10 vmax"
SEED, GRAPH = "seed in PyTorch", "seed in PyTorch, CUDA graph"
GRID, EXACT = "784-10 on a grid, seed's data", "784-10 ttfs, seed's data"
EPOCH = 60000
# The batch size of the script.
SCRIPT = 128


def main():
    folder = sys.argv[1]
    rows = lines_of_json(folder, "speed.json") + lines_of_json(folder, "torch.json")
    ceilings = {row["ceiling"]: row["per_second"] for row in rows if "ceiling" in row}
    speeds = [row for row in rows if "ceiling" not in row]
    sections = [text(folder, "about.txt").splitlines(), steps(folder), goals(folder, speeds), trainings(folder), table(speeds),
                beside_the_seed(speeds), allowed(ceilings), *profiles(folder, ceilings, speeds)]
    print("\n\n".join("\n".join(section) for section in sections if section))


def steps(folder):
    lines = [line.split(None, 1) for line in text(folder, "steps.txt").splitlines()]
    bad = [f"{name}: {outcome}" for outcome, name in lines if outcome != "ok"]
    good = [name for outcome, name in lines if outcome == "ok"]
    return [f"Passed: {', '.join(good) or 'nothing'}. Not passed: {'; '.join(bad) or 'nothing'}."] if lines else []


def goals(folder, rows):
    rate = {(row["name"], row["batch"], row.get("events", 784)): row["samples_per_second"] for row in rows if "error" not in row}
    epochs, script, ours = (rate.get(key) for key in [(HIDDEN, 1024, 150), (SEED, SCRIPT, 784), (GRID, SCRIPT, 784)])
    found = []
    if epochs:
        found.append(("784-350-10, batch 1024: epochs of 60,000 samples a second", "10", "40", f"{epochs / EPOCH:.1f}"))
    if script and ours:
        found.append((f"the script's layer on its grid, batch {SCRIPT}: times the script", "100", "1,000", f"{ours / script:.0f}"))
    for result in lines_of_json(folder, "train-mnist.json")[-1:]:
        reached = f"{result['reached']['seconds']:.1f}" if "reached" in result else "never"
        found.append((f"`mnist` to {result['goal']} %: s of training", f"{result['within']:.0f}", "", reached))
    if not found:
        return []
    return ["### Goals", "", "| goal | must | hoped for | reached |", "| --- | --- | --- | --- |",
            *(f"| {' | '.join(row)} |" for row in found)]


def trainings(folder):
    found = sorted(name for name in os.listdir(folder) if re.fullmatch(r"train-.*\.json", name))
    if not found:
        return []
    lines = ["### Trainings", "",
             "| training | epochs | test accuracy | at least | s of training | s in all |",
             "| --- | --- | --- | --- | --- | --- |"]
    after = []
    for name in found:
        # Empty where a training was stopped as it wrote.
        for result in lines_of_json(folder, name):
            add_training(name[len("train-"):-len(".json")], result, lines, after)
    return lines + after


def add_training(name, result, lines, after):
    result["name"] = name
    lines.append("| {name} | {epochs} | {accuracy:.2f} % | {at_least:.1f} % | {seconds:.1f} | {wall:.1f} |".format(**result))
    if "reached" in result:
        after += ["", "`{name}` passed {goal} % after {reached[seconds]:.1f} s of training (at most {within:.0f} s), epoch "
                  "{reached[epoch]}; {reached[wall]:.1f} s after the program was started.".format(**result)]
    elif result["goal"] is not None:
        after += ["", "`{name}` never passed {goal} %.".format(**result)]


def table(rows):
    if not rows:
        return []
    lines = ["### Samples a second", "",
             "| what | batch | input spikes | ms for 60,000 samples | samples/s |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        if "error" in row:
            lines.append(f"| {row['name']} | | | | {row['error']} |")
            continue
        rate = row["samples_per_second"]
        lines.append(f"| {row['name']} | {row['batch']} | {row.get('events', 784)} | {EPOCH / rate * 1e3:.2f} | {rate:,.0f} |")
    return lines


def beside_the_seed(rows):
    rate = {(row["name"], row["batch"]): row["samples_per_second"] for row in rows if "error" not in row}
    names = (SEED, GRAPH, GRID, EXACT)
    rates = {name: {batch: value for (other, batch), value in rate.items() if other == name} for name in names}
    batches = sorted(set(rates[SEED]) & (set(rates[GRID]) | set(rates[EXACT])))
    if not batches:
        return []
    lines = ["### Beside the PyTorch script this project began from", "",
             "One layer, 784 input spikes a sample, samples a second. The script runs as it is, small kernels in a loop, and recorded as one",
             "CUDA graph, on a grid of 1 ms; this engine on the same grid, and with exact times.", "",
             "| batch | script | its graph | on the grid | to the script | to its graph | exact | to the script | to its graph |",
             "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for batch in batches:
        lines.append(f"| {batch} | {compared(*(rates[name].get(batch) for name in names))} |")
    best = [max(rates[name].values(), default=None) for name in names]
    return lines + [f"| the best of each | {compared(*best)} |"]


def compared(seed, graph, *ours):
    cells = [number(seed), number(graph)]
    for rate in ours:
        cells += [number(rate)] + [f"{rate / theirs:.1f}x" if rate and theirs else "" for theirs in (seed, graph)]
    return " | ".join(cells)


def number(rate):
    return f"{rate:,.0f}" if rate else ""


def allowed(ceilings):
    if not {"issue", "l2"} <= set(ceilings):
        return []
    return ["### What the device allows", "",
            f"Measured: {ceilings['issue'] / 1e12:.1f} x 10^12 multiply-adds of threads a second, "
            f"{ceilings['l2'] / 1e12:.2f} TB/s from its L2 cache."]


def profiles(folder, ceilings, speeds):
    # Named after their settings: kernels-[seed-|grid-]BATCH-EVENTS.csv.
    found = [re.fullmatch(r"kernels-(seed-|grid-)?(\d+)-(\d+)\.csv", name) for name in os.listdir(folder)]
    for match in sorted(filter(None, found), key=lambda match: (match[1] or "", -int(match[2]))):
        name = {None: HIDDEN, "seed-": EXACT, "grid-": GRID}[match[1]]
        batch, events = int(match[2]), int(match[3])
        seconds = [batch / row["samples_per_second"] for row in speeds if "error" not in row
                   and (row["name"], row["batch"], row.get("events")) == (name, batch, events)]
        title = f"Kernels of a step: {name.split(',')[0]}, {events} input spikes, batch {batch}"
        try:
            yield kernels.section(title, text(folder, match[0]).splitlines(), ceilings, next(iter(seconds), None))
        except (KeyError, ValueError) as error:
            yield [f"### {title}", "", f"The profile is not as expected: {error!r}."]


def text(folder, name):
    try:
        with open(os.path.join(folder, name)) as file:
            return file.read()
    except OSError:
        return ""


def lines_of_json(folder, name):
    # Not the line that a program was stopped in.
    lines = (line for line in text(folder, name).splitlines() if line.startswith("{") and line.endswith("}"))
    return [json.loads(line) for line in lines]


if __name__ == "__main__":
    main()
