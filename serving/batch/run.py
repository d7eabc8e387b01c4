"""A batch: from IN to OUT, whatever their size, in parts that outlast a stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from serving.batch.chunks import Chunk, Defaults, Done, chunk_length, gather
from serving.batch.local import classify_local
from serving.batch.parts import JOINED, Parts
from serving.batch.records import FIELDS
from serving.batch.rows import COLUMNS, Row, arrow_schema
from serving.batch.sources import Source, open_source
from serving.settings import cores
from stance.bundle import find_version
from stance.errors import BatchError

#: Most documents with an error that a summary tells one by one.
MAX_TOLD = 5
#: Called with documents done, documents with an error, and documents in all.
Progress = Callable[[int, int, int], None]


@dataclass(frozen=True, slots=True)
class Job:
    """What to do.

    Attributes:
        address: of the Ray cluster to do it on; ``None``: on this machine.
        workers: processes or actors; ``None`` takes one a core that is free.
        overwrite: begin anew, whatever is there of OUT or of an earlier run.
    """

    source: Path
    out: Path
    bundle: Path
    defaults: Defaults = field(default_factory=Defaults)
    address: str | None = None
    workers: int | None = None
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """What was done: documents in all, of which with an error, of which by an earlier run.

    Attributes:
        left_out: files of a folder that are of a kind that is not read.
        failures: the rows of the first documents with an error, at most :data:`MAX_TOLD`.
    """

    documents: int
    failed: int
    earlier: int
    left_out: int
    failures: list[Row]


def run_batch(job: Job, progress: Progress = lambda done, failed, total: None) -> Summary:
    """Classify every document of IN and write OUT; called again after a stop, it does what is left.

    Raises:
        BatchError: if the batch cannot be begun, or not gone on with.
        BundleError: if there is no sound bundle.
        ExtraMissing: if a library is not installed that IN, OUT or the engine needs.
    """
    _check_out(job)
    version = find_version(job.bundle)
    parts = Parts(job.out)
    with parts.lock():
        if job.overwrite and parts.is_begun:
            _check_in(job)
        if job.overwrite or not parts.is_begun:
            parts.clear()
        source, plan = _prepare(job, parts, version)
        total, earlier = plan["documents"], parts.documents
        progress(earlier, parts.failed, total)
        for done in _classify(job, source, parts, total) if earlier < total else ():
            parts.add(done)
            progress(parts.documents, parts.failed, total)
        if parts.documents != total:
            raise BatchError(
                f"{job.source}: held {total:,} documents, now {parts.documents:,}; begin anew: --overwrite"
            )
        failures = parts.failures(MAX_TOLD)
        parts.finish(job.defaults.keep)
    return Summary(total, parts.failed, earlier, plan["left_out"], failures)


def _check_out(job: Job) -> None:
    if job.out.suffix.lower() not in JOINED:
        raise BatchError(f"{job.out}: OUT must end in {', '.join(JOINED)}")
    if job.out.exists() and job.source.exists() and job.out.samefile(job.source):
        raise BatchError(f"{job.out}: is IN too; name another OUT")
    if job.out.exists() and not job.overwrite and not Parts(job.out).is_begun:
        raise BatchError(f"{job.out}: is there already; write it anew with --overwrite, or name another OUT")
    if job.out.suffix.lower() == ".parquet":
        arrow_schema()


def _check_in(job: Job) -> None:
    """Look at IN before what was done of it is thrown away; a folder is listed for the look alone."""
    with TemporaryDirectory() as folder:
        source = _open(job, Path(folder, "files.sqlite"))
        _check_columns(job, source)


def _prepare(job: Job, parts: Parts, version: str) -> tuple[Source, dict[str, Any]]:
    """IN and the plan, with the number of its documents; on going on, after a look that all is as it was."""
    source = _open(job, (parts.folder / "files.sqlite").resolve())
    settings: Mapping[str, Any] = {
        "IN": source.fingerprint(),
        "bundle": version,
        "--process": job.defaults.process,
        "--actors": list(job.defaults.actors),
        "--field": dict(job.defaults.columns),
        "--keep": list(job.defaults.keep),
    }
    plan = parts.plan(settings)
    if plan is None:
        _check_columns(job, source)
        plan = {**settings, "documents": source.count(), "left_out": source.left_out()}
        parts.save_plan(plan)
    parts.load()
    return source, plan


def _open(job: Job, listing: Path) -> Source:
    return open_source(job.source.resolve(), job.defaults.columns, listing, job.defaults.keep)


def _check_columns(job: Job, source: Source) -> None:
    names = job.defaults.columns
    unknown = sorted(set(names) - set(FIELDS))
    if unknown:
        raise BatchError(f"--field {unknown[0]}=…: no such field; allowed are {', '.join(FIELDS)}")
    keep = job.defaults.keep
    taken = [name for name in keep if name in COLUMNS]
    if taken:
        raise BatchError(f"--keep {taken[0]}: OUT has a column of that name already; rename the one of IN")
    if keep and job.source.is_dir():
        raise BatchError(f"--keep {','.join(keep)}: {job.source} is a folder, whose files have no columns")
    wanted = {names.get("text", "text"), *names.values(), *keep}
    columns = source.columns(wanted)
    missing = [] if columns is None else sorted(wanted - set(columns))
    if missing:
        raise BatchError(
            f"{job.source}: has no column {missing[0]!r}, only {', '.join(map(repr, columns or ()))}; "
            "say which holds what with --field, such as --field text=body"
        )


def _chunks(source: Source, done: Mapping[int, int], length: int) -> Iterator[Chunk]:
    return gather(source.records(done), length)


def _classify(job: Job, source: Source, parts: Parts, total: int) -> Iterator[Done]:
    if job.address is None:
        workers = job.workers or cores()
        length = chunk_length(total, workers)
        return classify_local(_chunks(source, parts.done.copy(), length), job.defaults, job.bundle, workers)
    from serving.batch.cluster import check_resources, classify_on_cluster, connect

    connect(job.address)
    workers = check_resources(job.workers)
    chunks = partial(_chunks, source, parts.done.copy(), chunk_length(total, workers))
    return classify_on_cluster(chunks, job.defaults, job.bundle, workers)
