"""The model card and its plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from huggingface_hub import EvalResult, ModelCardData
from sklearn.metrics import ConfusionMatrixDisplay

from stance.bundle import CARD
from stance.schema import LABELS
from training.evaluate import Scores
from training.metrics import Interval, format_subsets
from training.selective import at_fifths
from training.weights import PUBLISHED

matplotlib.use("Agg")
from matplotlib.figure import Figure

CONFUSION = "confusion_matrix.png"
RELIABILITY = "reliability.png"
LEARNING = "learning_curve.png"
COVERAGE = "accuracy_by_coverage.png"


def save_plots(folder: Path, scores: Scores, history: Sequence[Mapping[str, Any]]) -> None:
    """Draw the confusion matrix, the reliability diagram, accuracy by coverage and the learning curve."""
    _save(folder / CONFUSION, _draw_confusion(scores))
    _save(folder / RELIABILITY, _draw_reliability(scores))
    _save(folder / COVERAGE, _draw_coverage(scores))
    _save(folder / LEARNING, _draw_learning(history))


def _save(path: Path, figure: Figure) -> None:
    figure.savefig(path, dpi=110, bbox_inches="tight", metadata={"Software": None})


def _draw_confusion(scores: Scores) -> Figure:
    figure = Figure(figsize=(4.6, 4.2))
    axes = figure.add_subplot()
    display = ConfusionMatrixDisplay(np.asarray(scores.confusion), display_labels=LABELS)
    display.plot(ax=axes, cmap="Blues", colorbar=False)
    axes.set_title(f"Held-out test, {scores.cases} actors")
    axes.tick_params(axis="x", rotation=30)
    return figure


def _draw_reliability(scores: Scores) -> Figure:
    figure = Figure(figsize=(4.6, 4.2))
    axes = figure.add_subplot()
    confidence, accuracy, counts = (np.asarray(column) for column in zip(*scores.reliability, strict=True))
    axes.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="perfect")
    axes.plot(confidence, accuracy, marker="o", label="int8 bundle")
    for x, y, count in zip(confidence, accuracy, counts, strict=True):
        axes.annotate(str(int(count)), (x, y), textcoords="offset points", xytext=(4, -10), fontsize=7)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="stated probability", ylabel="share right")
    axes.set_title(f"Calibration error {scores.ece:.3f}")
    axes.legend()
    return figure


def _draw_coverage(scores: Scores) -> Figure:
    figure = Figure(figsize=(4.6, 4.2))
    axes = figure.add_subplot()
    axes.plot(*zip(*scores.accuracy_by_coverage, strict=True), marker="o", label="int8 bundle")
    axes.axhline(0.95, color="0.6", linestyle="--", label="0.95")
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="share of the actors answered, surest first", ylabel="share right")
    axes.set_title(f"Accuracy 0.95 at coverage {scores.coverage_at_95:.2f}")
    axes.legend(loc="lower left")
    return figure


def _draw_learning(history: Sequence[Mapping[str, Any]]) -> Figure:
    figure = Figure(figsize=(5.4, 3.8))
    axes = figure.add_subplot()
    train = [(row["epoch"], row["loss"]) for row in history if "loss" in row]
    dev = [row for row in history if "eval_macro_f1" in row]
    lines = axes.plot(*zip(*train, strict=True), color="0.6", label="training loss") if train else []
    axes.set(xlabel="epoch", ylabel="loss")
    if dev:
        epochs = [row["epoch"] for row in dev]
        lines += axes.plot(epochs, [row["eval_loss"] for row in dev], color="C1", label="dev loss")
        twin = axes.twinx()
        macro_f1 = [row["eval_macro_f1"] for row in dev]
        lines += twin.plot(epochs, macro_f1, color="C0", marker="o", label="dev macro-F1")
        twin.set(ylim=(0, 1), ylabel="macro-F1")
    if lines:
        axes.legend(handles=lines, loc="center right")
    return figure


def format_rows(rows: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """A Markdown table of macro-F1 by model and subset."""
    lines = ["| model | all | Sochi | other processes |", "| --- | --- | --- | --- |"]
    for name, subsets in rows.items():
        lines.append(f"| {name} | " + " | ".join(format_subsets(subsets)) + " |")
    return "\n".join(lines)


def save_card(folder: Path, *, name: str, scores: Scores, metrics: Mapping[str, Any]) -> None:
    """Write the model card."""
    parity, counts = metrics["parity"], metrics["records"]
    shares = ("accuracy", "evidence_f1", "coverage", "found_recall", "found_precision", "pair_f1")
    text = _CARD.format(
        name=name,
        backbone=_tell_backbone(metrics["config"]),
        start=_tell_start(metrics),
        teacher=_tell_teacher(metrics),
        digest=metrics["corpus_digest"][:16],
        calibration=metrics["calibration_records"],
        minutes=metrics["seconds"] / 60,
        rows=format_rows(metrics["rows"]),
        parts=format_parts(scores),
        ece=scores.ece,
        set_size=scores.set_size,
        cases=parity["cases"],
        fp32_agreement=100 * parity["fp32_agreement"],
        fp32_difference=parity["fp32_difference"],
        int8_agreement=100 * parity["int8_agreement"],
        calibration_agreement=100 * parity["calibration_agreement"],
        parity_f1=", ".join(f"{key} {100 * value:.1f}" for key, value in parity["macro_f1"].items()),
        confusion_png=CONFUSION,
        reliability_png=RELIABILITY,
        learning_png=LEARNING,
        coverage_png=COVERAGE,
        answered=_format_coverage(scores),
        coverage_at_95=100 * scores.coverage_at_95,
        **{split: counts[split] for split in ("train", "dev", "test")},
        **{key: 100 * getattr(scores, key) for key in shares},
    )
    (folder / CARD).write_text(f"---\n{_describe(name, scores, metrics)}\n---\n\n{text}", encoding="utf-8")


def _describe(name: str, scores: Scores, metrics: Mapping[str, Any]) -> str:
    """What the Hugging Face hub reads of a card: YAML."""
    published = PUBLISHED.get(metrics["config"]["backbone"])
    score = EvalResult(
        task_type="text-classification",
        task_name="Stance of actors",
        dataset_type="held-out-passages",
        dataset_name="Held-out passages of the corpus",
        dataset_split="test",
        metric_type="f1",
        metric_name="macro-F1, actors given",
        metric_value=round(scores.macro_f1["all"].value, 4),
    )
    card = ModelCardData(
        language="en",
        library_name="onnx",
        pipeline_tag="text-classification",
        tags=["stance-detection", "news", "peace-process"],
        base_model=published.name if published else None,
        model_name=name,
        eval_results=[score],
    )
    return str(card.to_yaml())


def _tell_backbone(config: Mapping[str, Any]) -> str:
    published = PUBLISHED.get(config["backbone"])
    name = f"{published.name}{published.since}" if published else config["backbone"]
    return f"the first {config['layers']} layers of {name}" if config.get("layers") else name


def _tell_start(metrics: Mapping[str, Any]) -> str:
    start = metrics["start"]
    if not start:
        return ", fine-tuned with a token head"
    if start.startswith("the mean of"):  # of `train soup`
        return f" with {start}, head included"
    return (
        f" with the weights of the bundle {start} (its card tells of its training), head included, fine-tuned further"
    )


def _tell_teacher(metrics: Mapping[str, Any]) -> str:
    teacher = metrics["teacher"]
    return f" on the labels and on the reading of a fine-tuned {_tell_backbone(teacher)}" if teacher else ""


def _format_coverage(scores: Scores) -> str:
    return ", ".join(
        f"{100 * accuracy:.1f} on the surest {100 * coverage:.0f}%"
        for coverage, accuracy in at_fifths(scores.accuracy_by_coverage)
    )


def format_parts(scores: Scores) -> str:
    """Markdown tables of F1 by label and of macro-F1 by process, register, length and tag, with intervals."""
    heads = {"label": "| label | F1 |", "length": "| text of | macro-F1 |", "tag": "| passages with | macro-F1 |"}
    return "\n\n".join(
        "\n".join([heads.get(kind, f"| {kind} | macro-F1 |"), "| --- | --- |", *_part_rows(kind, parts)])
        for kind, parts in scores.parts().items()
        if parts
    )


def _part_rows(kind: str, parts: Mapping[str, Interval]) -> list[str]:
    return [f"| `{key}` | {one} |" if kind == "label" else f"| {key} | {one} |" for key, one in parts.items()]


_CARD = """# Model card: {name}

Says where each actor of a news text stands toward a peace process: `support`, `boycott`, `conditional` or `none`.

- **Model**: {backbone}{start}{teacher}, exported to ONNX int8; one pass over the text judges every
  actor in it.
- **Data**: {train} training, {dev} dev and {test} test records
  (digest `{digest}`); those of the project are written for training and labelled by `data/codebook.md`, see `data/README.md`.
- **Calibrated on** {calibration} records, by default the dev split of `data/gold`: retold real reports.
- **Made by**: `train run` or its steps, as {name}, {minutes:.0f} minutes of fine-tuning.

## Intended use
Event data, newsroom and early-warning pipelines and analysts who check what they use against the evidence shown. English
text. Not for decisions about persons, and not as a record of what anybody said or did.

## Quality on the held-out test split
Macro-F1 in points, with 95% intervals (bootstrap over passages; over seeds where the row says so). Actors given.

{rows}

The held-out passages were written by the same hands as the training passages; on real reports expect less:
`train evaluate models/{name} --data data/gold --on test` tells how much.

{parts}

- Accuracy {accuracy:.1f}; evidence sentences F1 {evidence_f1:.1f}.
- Calibration error {ece:.3f}; `plausible` holds the truth in {coverage:.1f}% of cases (stated: 90%), with
  {set_size:.2f} labels on average.
- Where only the surest cases are answered, accuracy is {answered}. It reaches 95% on the surest
  {coverage_at_95:.1f}% of the cases.
- Finding actors by itself: recall {found_recall:.1f}, precision {found_precision:.1f}; F1 of (actor, stance) pairs
  {pair_f1:.1f}.
- Parity on {cases} held-out actors: torch and ONNX fp32 agree on {fp32_agreement:.2f}% of labels (largest difference of a
  log-probability {fp32_difference:.5f}), fp32 and int8 on {int8_agreement:.2f}%; macro-F1 {parity_f1}. On the records that the probabilities are fitted on, fp32
  and int8 agree on {calibration_agreement:.2f}%.

![Confusion matrix]({confusion_png}) ![Reliability]({reliability_png})
![Accuracy by coverage]({coverage_png}) ![Learning curve]({learning_png})

## Limits
- Trained mostly on short passages; a stance told once in a long article is missed more often.
- Actors that are only described ("a former minister") are not found unless they are asked for by that description;
  "the government" and "the opposition" are.
- Irony, and stances that only a reader with background knowledge would see, are often missed.
"""
