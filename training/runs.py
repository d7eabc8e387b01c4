"""The folder of a fine-tuning: what lies where in it, and who may go on with it."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import stance
from stance.errors import StanceError
from training.config import TrainingConfig, parse_config
from training.files import load_object, save_json_whole


class Earlier(StrEnum):
    """What becomes of an earlier run, or of what a stopped one left, in the same folder."""

    REFUSE = "refuse"
    RESUME = "resume"
    OVERWRITE = "overwrite"


@dataclass(frozen=True, slots=True)
class Trained:
    """A fine-tuned model on disk.

    Attributes:
        seconds: of the whole training, those before a stop too.
        teacher: what tells the one it learnt from, if any, from others, as :func:`training.distil.check_teacher` does.
        start: name and version of the bundle that it started from, if any, as :func:`training.start.tell_start` does.
    """

    folder: Path
    seconds: float
    history: list[dict[str, Any]]
    teacher: dict[str, Any] | None
    start: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """The fine-tuning of one seed: ``run.json`` lies in its folder once it is begun, ``done.json`` once it is finished.

    What it was begun with is its stamp: settings, digest of the data, version of this package, the teacher, and the
    bundle that it started from.
    """

    folder: Path

    @classmethod
    def of(cls, named: Path, seed: int) -> Run:
        """The run of a seed in ``named``, the folder of all runs of one name."""
        return cls(named / f"seed-{seed}")

    def __str__(self) -> str:
        return str(self.folder)

    @property
    def checkpoints(self) -> Path:
        """The folder of what the Trainer keeps on the way."""
        return self.folder / "checkpoints"

    @property
    def model(self) -> Path:
        """The folder of the trained model."""
        return self.folder / "model"

    @property
    def weights(self) -> Path:
        """The weights of the trained model."""
        return self.model / "model.safetensors"

    @property
    def finished(self) -> bool:
        """Whether it came to its end."""
        return self._done_file.exists()

    def begin(
        self, config: TrainingConfig, digest: str, teacher: dict[str, Any] | None = None, start: str | None = None
    ) -> None:
        """Stamp an empty folder: what another run left must not be taken up by a later ``--resume``.

        Raises:
            StanceError: if what lies in it cannot be deleted.
        """
        try:
            if self.folder.exists():
                shutil.rmtree(self.folder)
        except OSError as error:
            raise StanceError(f"{self}: cannot be deleted: {error}; delete it, or give another --name") from error
        save_json_whole(self._stamp_file, {**_make_stamp(config, digest), "teacher": teacher, "start": start})

    def stamp(self) -> dict[str, Any] | None:
        """What it was begun with, as it was written; None if it was not.

        Raises:
            StanceError: if it cannot be read.
        """
        return _load(self._stamp_file) if self._stamp_file.exists() else None

    def config(self) -> TrainingConfig:
        """The settings that it was begun with.

        Raises:
            StanceError: if they cannot be read or are of another version.
        """
        return parse_config((self.stamp() or {}).get("config") or {})

    def finish(self, trained: Trained) -> None:
        """Tell that the model is there, and how it came to be."""
        told = ("seconds", "history", "teacher", "start")
        save_json_whole(self._done_file, {name: getattr(trained, name) for name in told})

    def trained(self) -> Trained:
        """What a finished run made.

        Raises:
            StanceError: if what tells of it cannot be read.
        """
        done = _load(self._done_file, "seconds", "history", "teacher")
        return Trained(self.model, done["seconds"], done["history"], done["teacher"], done.get("start"))

    def check_same(self, config: TrainingConfig, digest: str) -> None:
        """Check that what an earlier run left, if anything, can be taken up.

        Raises:
            StanceError: if it was made with other settings or data, or cannot be read.
        """
        stamp, wanted = self.stamp(), _make_stamp(config, digest)
        if stamp is None:
            return
        begun = {**stamp, "config": asdict(self.config())}
        if {key: begun.get(key) for key in wanted} != wanted:
            raise StanceError(
                f"{self._stamp_file}: made with other settings or data; run under another --name, or begin anew with "
                "--overwrite"
            )

    def check_taught_by(self, teacher: dict[str, Any]) -> None:
        """Check that what an earlier run left, if anything, learnt from this teacher.

        Raises:
            StanceError: if it was another one, or has been trained anew since.
        """
        stamp = self.stamp()
        if stamp is not None and stamp.get("teacher") != teacher:
            raise StanceError(
                f"{self._stamp_file}: was begun with another teacher than lies in its --teacher now; put that one "
                "back, run under another --name, or begin anew with --overwrite"
            )

    def check_started_from(self, start: str) -> None:
        """Check that what an earlier run left, if anything, started from this bundle.

        Raises:
            StanceError: if it was another one, or has been made anew since.
        """
        stamp = self.stamp()
        if stamp is not None and stamp.get("start") != start:
            raise StanceError(
                f"{self._stamp_file}: was begun from the bundle {stamp.get('start')}, in its --start lies {start} now; "
                "put that one back, run under another --name, or begin anew with --overwrite"
            )

    def check_free(self) -> None:
        """Check that no earlier run left anything.

        Raises:
            StanceError: if one did.
        """
        if self.folder.exists() and any(self.folder.iterdir()):
            what = "a finished run" if self.finished else "a run that was begun"
            raise StanceError(
                f"{self}: holds {what}; go on with it by --resume, begin anew with --overwrite, or give another --name"
            )

    @property
    def _stamp_file(self) -> Path:
        return self.folder / "run.json"

    @property
    def _done_file(self) -> Path:
        return self.folder / "done.json"


def _load(file: Path, *keys: str) -> dict[str, Any]:
    try:
        return load_object(file, *keys)
    except (OSError, ValueError) as error:
        raise StanceError(
            f"{file}: cannot be read: {error}; run under another --name, or begin anew with --overwrite"
        ) from error


def _make_stamp(config: TrainingConfig, digest: str) -> dict[str, Any]:
    return {"config": asdict(config), "corpus_digest": digest, "package_version": stance.__version__}
