"""Commands about the data: check, split, agreement."""

from __future__ import annotations

from collections import Counter

from rich.table import Table

from training.cli.shell import DataOption, ExtraOption, ProcessOption, console, prepare, told
from training.corpus import CORPUS, GOLD, SPLITS, corpus_files, load_corpus


def check(data: DataOption = [CORPUS], extra: ExtraOption = [], process: ProcessOption = []) -> None:
    """Check every record and split; each fault is told as file:line with the value received.

    Example: train check --extra my-labels.jsonl --process my-process.json
    """
    prepare()
    from training.data import load_divided
    from training.processes import free_names, load_processes

    with told():
        known = load_processes(process)
        located = load_divided(data, extra)
    table = Table("split", "records", "labels", title=f"{len(located)} records, no faults")
    for split in SPLITS:
        ones = [one.record for one in located if one.record.split == split]
        table.add_row(split, str(len(ones)), str(sum(len(one.actors) for one in ones)))
    console.print(table)
    labels = Counter(actor.label for one in located for actor in one.record.actors)
    console.print("labels: " + ", ".join(f"{label} {count}" for label, count in labels.most_common()))
    own = set(corpus_files(extra)) if extra else set()
    for name, count in free_names([one for one in located if one.path in own], known).items():
        console.print(f"{count} of your records on {name!r}, which is no name of a known process")


def split(data: DataOption = [CORPUS]) -> None:
    """Give every passage that has no split yet one, for good; twins and near-duplicates stay together.

    Example: train split --data data/corpus
    """
    prepare()
    from training.splits import assign_splits, write_splits

    with told():
        located = load_corpus(data)
        changed = write_splits(located, assign_splits(located))
    console.print(f"{changed} record(s) were given a split")


def agreement(data: DataOption = [GOLD]) -> None:
    """Tell how far the blind readers of gold labels agree: raw, and Cohen's kappa by label.

    Example: train agreement --data data/gold
    """
    prepare()
    from training.agreement import measure_agreement

    with told():
        measured = measure_agreement(load_corpus(data))
    table = Table("label", "kappa", title=f"{measured.cases} actors read twice, {100 * measured.raw:.1f}% alike")
    for label, kappa in {"all": measured.kappa, **measured.by_label}.items():
        table.add_row(label, f"{kappa:.3f}")
    console.print(table)
