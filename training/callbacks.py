"""What a training does at its steps, epochs and checkpoints, beside what the Trainer does."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch.optim.swa_utils import AveragedModel
from transformers import TrainerCallback, TrainerControl, TrainerState
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from training.batches import RecordEncoder
from training.files import written_whole


class TellEpoch(TrainerCallback):
    """Tells the encoder the epoch, so that a resumed run draws what an uninterrupted one would."""

    def __init__(self, encode: RecordEncoder) -> None:
        self._encode = encode

    def on_epoch_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Before the epoch's first batch is drawn."""
        self._encode.epoch = round(state.epoch or 0)


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
            with written_whole(_checkpoint(args, state) / self._FILE) as temporary:
                save_file(self._mean.state_dict(), temporary)

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, *, model: Any, **_: Any) -> None:
        """Take up the mean of the checkpoint that is gone on from."""
        if state.global_step and (file := _checkpoint(args, state) / self._FILE).exists():
            self._mean = AveragedModel(model)
            self._mean.load_state_dict(load_file(file, device=str(args.device)))

    def on_train_end(self, args: Any, state: TrainerState, control: TrainerControl, *, model: Any, **_: Any) -> None:
        """Put the mean in the place of the weights."""
        if self._mean is not None:
            model.load_state_dict(self._mean.module.state_dict())


class CheckpointClock(TrainerCallback):
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
        checkpoint = _checkpoint(args, state) if state.global_step else None
        self._started = time.monotonic() - self.seconds(checkpoint)

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Keep the seconds with the checkpoint."""
        with written_whole(_checkpoint(args, state) / self._FILE) as temporary:
            temporary.write_text(json.dumps(time.monotonic() - self._started))


def _checkpoint(args: Any, state: TrainerState) -> Path:
    """The folder of the checkpoint of this step."""
    return Path(args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
