"""What a training does over its steps beside the learning rate: the order of the records, the mean of the weights."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import Sampler
from transformers import TrainerCallback, TrainerControl, TrainerState
from transformers.trainer_pt_utils import get_length_grouped_indices
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from training.files import written_whole


class WeightAverage(TrainerCallback):
    """Leaves the mean of the weights over the last steps instead of the last weights.

    Stochastic weight averaging (Izmailov et al. 2018, arXiv:1803.05407), every few steps as in SWAD (Cha et al. 2021,
    arXiv:2102.08604). What is measured during the training are the weights of the moment; the mean lies beside them in
    a checkpoint, for a run that is resumed.

    Args:
        share: of all steps, 0..1.
    """

    _EVERY = 10
    _FILE = "mean.safetensors"

    def __init__(self, share: float) -> None:
        self._share = share
        self._mean: AveragedModel | None = None

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, *, model: Any, **_: Any) -> None:
        """Take the weights into the mean."""
        left = state.max_steps - state.global_step  # so that the last ones are among them
        if state.global_step > (1 - self._share) * state.max_steps and not left % self._EVERY:
            self._mean = self._mean or AveragedModel(model)
            self._mean.update_parameters(model)

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Keep the mean with the checkpoint."""
        if self._mean is not None:
            with written_whole(self._file(args, state)) as temporary:
                save_file(self._mean.state_dict(), temporary)

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, *, model: Any, **_: Any) -> None:
        """Take up the mean of the checkpoint that is gone on from."""
        if state.global_step and (file := self._file(args, state)).exists():
            self._mean = AveragedModel(model)
            self._mean.load_state_dict(load_file(file, device=str(args.device)))

    def _file(self, args: Any, state: TrainerState) -> Path:
        return Path(args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}" / self._FILE

    def on_train_end(self, args: Any, state: TrainerState, control: TrainerControl, *, model: Any, **_: Any) -> None:
        """Put the mean in the place of the weights."""
        if self._mean is not None:
            model.load_state_dict(self._mean.module.state_dict())


class Clock(TrainerCallback):
    """Keeps with each checkpoint the seconds that the training took to get there, those before a stop too.

    To be added last: its file tells that a checkpoint was written to its end, with what other callbacks keep there.
    """

    _FILE = "seconds.json"

    def __init__(self) -> None:
        self._started = time.monotonic()

    @classmethod
    def last_whole(cls, folder: Path) -> Path | None:
        """The newest whole checkpoint in ``folder``."""
        whole = [path.parent for path in folder.glob(f"{PREFIX_CHECKPOINT_DIR}-*/{cls._FILE}")]
        return max(whole, key=lambda path: int(path.name.split("-")[-1]), default=None)

    @classmethod
    def seconds(cls, checkpoint: Path | None) -> float:
        """What it took to get to a whole checkpoint; to none, nothing."""
        return float(json.loads((checkpoint / cls._FILE).read_text())) if checkpoint else 0.0

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Put the clock to where the checkpoint that is gone on from left it."""
        checkpoint = self._file(args, state).parent if state.global_step else None
        self._started = time.monotonic() - self.seconds(checkpoint)

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Keep the seconds with the checkpoint."""
        with written_whole(self._file(args, state)) as temporary:
            temporary.write_text(json.dumps(time.monotonic() - self._started))

    def _file(self, args: Any, state: TrainerState) -> Path:
        return Path(args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}" / self._FILE


class StagedSampler(Sampler[int]):
    """Stages one after the other in each pass, each in random order and grouped by length.

    Args:
        stages: indices of the rows.
        lengths: of all rows.
    """

    def __init__(self, stages: Sequence[NDArray[np.int64]], lengths: Sequence[int], batch_size: int) -> None:
        self._stages, self._lengths, self._batch_size = stages, lengths, batch_size

    def __len__(self) -> int:
        return sum(map(len, self._stages))

    def __iter__(self) -> Iterator[int]:
        for stage in filter(len, self._stages):
            lengths = [self._lengths[int(index)] for index in stage]
            yield from (int(stage[place]) for place in get_length_grouped_indices(lengths, self._batch_size))
