"""From a configuration to a trained network in one call."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ._core import Batch, Config, Data, RunFolder, Trainer


def train(
    config: Config | str | os.PathLike[str] = "mnist",
    data: Data | None = None,
    *,
    run_dir: str | os.PathLike[str] | None = None,
    on_batch: Callable[[Batch], Any] | None = None,
    on_epoch: Callable[[Any], Any] | None = None,
) -> Trainer:
    """Train a network, as the command ``eventprop train`` does and to the same bits.

    Args:
        config: a `Config`, the path of a configuration file, or a preset's name.
        data: the samples; without them those that ``config`` names.
        run_dir: a folder in which the run makes a folder of its own, written after each epoch and where
            the training was stopped; the command reads it.
        on_batch: called with a `Batch` after each update; stops the training if it returns ``False`` (on a grid and on a
            GPU after the batches that were started together, for a tenth of a second or so).
        on_epoch: called with the record of each epoch; stops the training if it returns ``False``.

    Returns:
        The trainer: its parameters, its history, its checkpoint.

    Raises:
        Error: as the command says it.
        KeyboardInterrupt: at the next batch after Ctrl-C, when ``run_dir`` has been written.
    """
    if not isinstance(config, Config):
        name = os.fspath(config)
        config = Config.load(name) if name.endswith((".toml", ".json")) else Config.preset(name)
    if folder := config.to_dict()["data"].get("folder"):
        # The run may be gone on with from elsewhere.
        config = config.override(data_folder=os.path.abspath(folder))
    trainer = Trainer(config, data)
    if run_dir is None:
        trainer.train(on_batch, on_epoch)
        return trainer
    folder = RunFolder(run_dir, config)
    folder.save(trainer)

    def keep(record: Any) -> Any:
        folder.save(trainer)
        return on_epoch(record) if on_epoch is not None else None

    try:
        trainer.train(on_batch, keep)
    except KeyboardInterrupt:
        folder.save(trainer)
        raise
    folder.save(trainer)
    return trainer
