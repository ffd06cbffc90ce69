"""What a profile says of the kernels of a step. A profile is what `ncu --csv --page raw` prints."""

import csv
import math

TIME, INSTRUCTIONS = "gpu__time_duration.sum", "smsp__inst_executed.sum"
SECTORS, DRAM, REGISTERS = "lts__t_sectors_srcunit_tex.sum", "dram__bytes.sum", "launch__registers_per_thread"
METRICS = [TIME, INSTRUCTIONS, SECTORS, DRAM, REGISTERS]
# Threads that an instruction is for, bytes of a sector.
WARP, SECTOR = 32, 32
UNITS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "K": 1e3, "M": 1e6, "G": 1e9}


def section(title, profile, ceilings, step_seconds):
    """The table of a profile (its lines) as lines of Markdown; `step_seconds` is a step not profiled, if known."""
    launches = read(profile)
    if not launches:
        return [f"### {title}", "", "The profile is empty."]
    period = period_of([launch["name"] for launch in launches])
    steps = len(launches) // period
    rows = [mean(launches[place:steps * period:period]) for place in range(period)]
    total = {metric: sum(row[metric] for row in rows) for metric in METRICS}
    total |= {"name": "**all**", "shape": "", REGISTERS: None}
    lines = [f"### {title}", "",
             "| kernel | blocks x threads | µs | share | of the issue ceiling | of the L2 ceiling | DRAM, GB/s | registers |",
             "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for row in sorted(rows, key=lambda row: -row[TIME]) + [total]:
        seconds = row[TIME]
        issue = share(WARP * row[INSTRUCTIONS] / seconds, ceilings.get("issue"))
        l2 = share(SECTOR * row[SECTORS] / seconds, ceilings.get("l2"))
        registers = "" if row[REGISTERS] is None else f"{row[REGISTERS]:.0f}"
        lines.append(f"| {row['name']} | {row['shape']} | {seconds * 1e6:.1f} | {100 * seconds / total[TIME]:.1f} % "
                     f"| {issue} | {l2} | {row[DRAM] / seconds / 1e9:.0f} | {registers} |")
    lines += ["", f"Means of {steps} steps, each kernel profiled by itself."]
    if step_seconds:
        lines[-1] += (f" The step that is measured takes {step_seconds * 1e6:.0f} µs, "
                      f"{step_seconds / total[TIME]:.2f} times what its kernels take together.")
    return lines


def read(lines):
    """The launches: a dictionary each, in seconds and bytes."""
    lines = list(lines)
    starts = [number for number, line in enumerate(lines) if line.startswith('"ID"')]
    if not starts:
        return []
    # Before the table the profiler and the program speak; the program may do so after it.
    rows = csv.reader(line for line in lines[starts[0]:] if line.startswith('"'))
    names, units = next(rows), next(rows)
    column = {name: position for position, name in enumerate(names)}
    launches = []
    for row in rows:
        blocks, threads = (size(row[column[name]]) for name in ("Grid Size", "Block Size"))
        launch = {"name": row[column["Kernel Name"]].split("(")[0], "shape": f"{blocks} x {threads}"}
        for metric in METRICS:
            unit = units[column[metric]]
            prefixed = unit[0] in UNITS and (len(unit) == 2 or unit[1:] in ("second", "byte"))
            value = float(row[column[metric]].replace(",", ""))
            launch[metric] = value * (UNITS[unit[0]] if prefixed else 1.0)
        launches.append(launch)
    return launches


def mean(launches):
    """Launches of one kernel at one place of the step."""
    metrics = {metric: sum(launch[metric] for launch in launches) / len(launches) for metric in METRICS}
    return launches[0] | metrics


def size(text):
    """"(32, 4, 1)" is 128."""
    return math.prod(int(part) for part in text.strip("()").split(","))


def period_of(names):
    """After how many launches their names come again."""
    for period in range(1, len(names) // 2 + 1):
        if names[period:] == names[:-period]:
            return period
    return len(names)


def share(rate, ceiling):
    return f"{100 * rate / ceiling:.1f} %" if ceiling else ""
