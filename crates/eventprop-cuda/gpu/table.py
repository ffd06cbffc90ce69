"""Prints the measurements of a run as a table: table.py speed.json torch.json"""

import json
import sys

rows = []
for path in sys.argv[1:]:
    try:
        with open(path) as lines:
            rows += [json.loads(line) for line in lines if line.startswith("{")]
    except OSError as error:
        print(error)
print(f"{'':<30}{'batch':>7}{'events':>8}{'ms/epoch':>12}{'epochs/s':>10}{'samples/s':>14}")
for row in rows:
    if "error" in row:
        print(f"{row['name']:<30}  {row['error']}")
        continue
    # An epoch of 60,000 samples, whatever was run.
    seconds = 60000 / row["samples_per_second"]
    events = row.get("events", 784)
    print(f"{row['name']:<30}{row['batch']:>7}{events:>8}{seconds * 1e3:>12.2f}{1 / seconds:>10.2f}{row['samples_per_second']:>14.0f}")
