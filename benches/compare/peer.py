"""What the peers share: data, timing, the result. A peer is a function that makes a training step."""

import json
import resource
import sys
import time

import numpy
import torch

WARM_UP = 3  # batches


def run(make_step):
    """Called as PEER.py FOLDER THREADS BATCH SECONDS: trains for that long, prints samples/s as JSON.

    make_step(images, labels) gets all images, uint8 [samples, 784], with their labels, prepares what a
    data loader would, and returns step(indices), which trains on those samples and returns the loss.
    """
    folder, threads, batch, seconds = sys.argv[1], *map(int, sys.argv[2:4]), float(sys.argv[4])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    images = torch.from_numpy(numpy.fromfile(f"{folder}/images", dtype=numpy.uint8).reshape(-1, 784))
    labels = torch.from_numpy(numpy.fromfile(f"{folder}/labels", dtype=numpy.uint8).astype(numpy.int64))
    step = make_step(images, labels)
    order = torch.randperm(len(labels))
    batches = list(order[: len(order) // batch * batch].split(batch))
    for indices in batches[:WARM_UP]:
        step(indices)
    samples, losses, start = 0, [], time.perf_counter()
    while time.perf_counter() < start + seconds:
        losses.append(step(batches[len(losses) % len(batches)]))
        samples += batch
    elapsed = time.perf_counter() - start
    print(
        json.dumps(
            {
                "samples_per_second": samples / elapsed,
                "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "first_loss": losses[0],
                "last_loss": losses[-1],
            }
        )
    )
