from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stance.baseline import BaselineEngine
from stance.bundle import load_bundle
from stance.calibration import Calibration
from stance.schema import LABEL2ID
from stance.text import find_sentences
from training.baseline import fit_baseline
from training.calibrate import fit_calibration, held_out_logits
from training.corpus import load_corpus
from training.data import Data, load_data
from training.evaluate import run_cases
from training.pipeline import calibrated


@pytest.fixture(scope="module")
def data(small_corpus: Path) -> Data:
    return load_data([small_corpus], calibration=[small_corpus])


@pytest.mark.parametrize("kind", ["transformer", "baseline"])
def test_probabilities_are_fitted_on_what_the_engine_gives(data: Data, tiny_bundle: Path, kind: str) -> None:
    engine = load_bundle(tiny_bundle).engine
    if kind == "baseline":
        engine = BaselineEngine(fit_baseline(data.splits["train"], data.lexicon))
    rows, y_true = [], []
    for one in data.calibration:
        mentioned = one.record.mentioned(data.lexicon)
        reading = engine.read(one.record.text, data.names.resolve(one.record.process))
        scores, _ = reading.judge([found for _, found in mentioned], find_sentences(one.record.text))
        for row, (actor, found) in zip(scores, mentioned, strict=True):
            if found.mentions and not actor.ambiguous:
                rows.append(row)
                y_true.append(LABEL2ID[actor.label])
    expected = fit_calibration(np.stack(rows), np.asarray(y_true))
    bundle, labels = calibrated(data, engine, kind)
    assert bundle.calibration.temperature == pytest.approx(expected.temperature, rel=1e-3)
    assert bundle.calibration.threshold == pytest.approx(expected.threshold, rel=1e-3)
    assert bundle.calibration.coverage == expected.coverage
    assert labels.tolist() == np.stack(rows).argmax(axis=1).tolist()


def test_only_clear_actors_that_the_text_names_are_fitted_on(
    data: Data, tiny_bundle: Path, write_records: Callable[..., Path]
) -> None:
    def actor(name: str, **more: object) -> dict[str, object]:
        return {"actor": name, "mentions": [name], "label": "support", "evidence": ["will send"], **more}

    text = "Turkey will send a delegation to Sochi, as will Iran."
    (one,) = load_corpus([write_records({"text": text, "actors": [actor("Turkey"), actor("Iran", ambiguous=True)]})])
    bundle = replace(load_bundle(tiny_bundle), calibration=Calibration())
    (turkey, iran) = run_cases(bundle, [one], names=data.names)
    unnamed = replace(turkey, predicted=replace(turkey.predicted, mentions=()))
    logits, y_true = held_out_logits([iran, turkey, unnamed])
    assert y_true.tolist() == [LABEL2ID["support"]]
    assert np.exp(logits).sum() == pytest.approx(1)
