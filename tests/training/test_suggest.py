"""Which documents of a batch are picked to be labelled."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from serving.batch.rows import COLUMNS as ROWS
from serving.batch.rows import Row, arrow_schema
from stance.errors import CorpusError
from stance.schema import LABELS
from training.labelling.exchange import save_suggestions
from training.labelling.judged import COLUMNS, read_judged
from training.labelling.suggest import suggest

SURE, TORN = (0.97, 0.01, 0.01, 0.01), (0.3, 0.3, 0.3, 0.1)
TEXTS = [
    "Turkey will send a delegation to Sochi on Monday, officials in Ankara said after the cabinet met.",
    "Turkey will send a delegation to Sochi on Monday, officials in Ankara said after the cabinet met again.",
    "The price of bread rose in Turkey while bakers queued for flour at every mill along the coast road.",
    "A bridge near the border was opened by Turkey with lorries, flags and a band from the garrison town.",
]


def row(index: int, text: str, probabilities: Sequence[float], **changes: object) -> Row:
    start = text.index("Turkey")
    place = {"start": start, "end": start + 6, "text": "Turkey"}
    empty: Row = {name: [] if kind.startswith("list") else None for name, (kind, _) in ROWS.items()}
    return {
        **empty,
        "doc_index": index,
        "doc_id": f"d{index}",
        "process_key": "sochi",
        "process_name": "Sochi process",
        "actor": "Turkey",
        "stance": LABELS[max(range(4), key=lambda one: probabilities[one])],
        **{f"p_{label}": value for label, value in zip(LABELS, probabilities, strict=True)},
        "plausible": ["support", "boycott"] if max(probabilities) < 0.5 else ["support"],
        "mentions": [place],
        "evidence": [{**place, "score": 1.0}],
        "model_version": "0.1",
        **changes,
    }


@pytest.fixture
def batch(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Writes what a batch wrote and what it read."""

    def write(rows: Sequence[Row], texts: Sequence[str] = TEXTS) -> tuple[Path, Path]:
        results, source = tmp_path / "stances.jsonl", tmp_path / "articles.jsonl"
        results.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
        source.write_text("\n\n".join(json.dumps({"text": text, "body": text}) for text in texts), encoding="utf-8")
        return results, source

    return write


def names(results: Path, texts: Path, **options: object) -> list[str]:
    return [one.name for one in suggest(results, texts, **{"count": 9, **options})]  # type: ignore[arg-type]


def test_the_columns_are_those_that_a_batch_writes() -> None:
    assert set(COLUMNS) <= set(ROWS)


def test_undecided_documents_come_first_and_near_duplicates_once(batch: Callable[..., tuple[Path, Path]]) -> None:
    certainties = [TORN, (0.4, 0.3, 0.2, 0.1), SURE, (0.45, 0.45, 0.05, 0.05)]
    rows = [row(place, text, one) for place, (text, one) in enumerate(zip(TEXTS, certainties, strict=True))]
    assert names(*batch(rows)) == ["d0", "d3", "d2"]
    assert names(*batch(rows), count=1) == ["d0"]
    assert names(*batch(rows), labelled=[TEXTS[1] + " So they said."]) == ["d3", "d2"]
    assert "d3" not in names(*batch(rows), max_length=len(TEXTS[3]) - 1)


def test_of_two_alike_in_doubt_the_one_unlike_those_picked_is_next(batch: Callable[..., tuple[Path, Path]]) -> None:
    texts = [
        TEXTS[0],
        "On Monday in Sochi, a delegation of Turkey met officials; the cabinet in Ankara said so.",
        TEXTS[3],
    ]
    rows = [row(0, texts[0], TORN), row(1, texts[1], (0.4, 0.3, 0.2, 0.1)), row(2, texts[2], (0.4, 0.3, 0.2, 0.1))]
    assert names(*batch(rows, texts), count=2) == ["d0", "d2"]


def test_errors_and_actors_that_the_text_does_not_name_are_left_out(batch: Callable[..., tuple[Path, Path]]) -> None:
    error = row(0, TEXTS[0], TORN, actor=None, stance=None, mentions=[], evidence=[], error_code="no_text")
    absent = row(1, TEXTS[1], TORN, actor="Melv", mentions=[], evidence=[])
    found = row(1, TEXTS[1], SURE)
    results, texts = batch([error, absent, found])
    (judged,) = read_judged(results)
    assert [one.name for one in judged.actors] == ["Turkey"]
    assert names(results, texts) == ["d1"]
    results, texts = batch([error])
    with pytest.raises(CorpusError, match="no document with an actor"):
        names(results, texts)


def test_documents_of_one_name_get_names_of_their_own(batch: Callable[..., tuple[Path, Path]]) -> None:
    rows = [row(0, TEXTS[0], TORN, doc_id="x"), row(2, TEXTS[2], TORN, doc_id="x")]
    assert sorted(names(*batch(rows))) == ["x#0", "x#2"]


def test_texts_that_are_not_those_of_the_batch_are_told(batch: Callable[..., tuple[Path, Path]]) -> None:
    results, texts = batch([row(0, TEXTS[0], TORN)], ["All other words."])
    with pytest.raises(CorpusError, match=r"document 0 \(d0\): has 'All ot' where RESULTS says 'Turkey'"):
        names(results, texts)
    results, texts = batch([row(3, TEXTS[0], TORN)], TEXTS[:2])
    with pytest.raises(CorpusError, match=r"document 3 \(d3\): has no text"):
        names(results, texts)
    results, texts = batch([{"doc_index": 0}])
    with pytest.raises(CorpusError, match=r"stances\.jsonl:1: has no 'doc_id'"):
        names(results, texts)


def test_all_kinds_of_files_that_a_batch_reads_and_writes(
    batch: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    pa = pytest.importorskip("pyarrow", reason="the extra 'batch' is not installed")
    import pyarrow.parquet as pq

    rows = [row(place, text, TORN, doc_id=f"{place}.txt") for place, text in enumerate(TEXTS)]
    results, texts = batch(rows)
    expected = names(results, texts)
    parquet = tmp_path / "stances.parquet"
    pq.write_table(pa.Table.from_pylist(rows, arrow_schema()), parquet)
    assert names(parquet, texts) == expected
    assert names(parquet, texts, column="body") == expected
    pq.write_table(pa.table({"text": TEXTS}), tmp_path / "articles.parquet")
    assert names(results, tmp_path / "articles.parquet") == expected
    with (tmp_path / "articles.csv").open("w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream, delimiter=";").writerows([["id", "text"], *(["i", text] for text in TEXTS)])
    assert names(results, tmp_path / "articles.csv") == expected
    lines = "".join(f"i\t{text}\n" for text in TEXTS)
    (tmp_path / "articles.tsv.gz").write_bytes(gzip.compress(f"id\ttext\n{lines}".encode()))
    assert names(results, tmp_path / "articles.tsv.gz") == expected
    with pytest.raises(CorpusError, match="has no column 'body'"):
        names(results, tmp_path / "articles.csv", column="body")
    folder = tmp_path / "folder"
    folder.mkdir()
    for place, text in enumerate(TEXTS):
        (folder / f"{place}.txt").write_text(text, encoding="utf-8")
    assert names(results, folder) == expected


def test_marks_in_a_quoted_name_part_no_columns_of_the_texts(
    batch: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    results, _ = batch([row(0, TEXTS[0], TORN)])
    texts = tmp_path / "articles.csv"
    texts.write_text(f'"id, of the paper, and of the day, and more";text\n7;"{TEXTS[0]}"\n', encoding="utf-8")
    assert names(results, texts) == ["d0"]


def test_what_is_written_depends_on_the_ending(batch: Callable[..., tuple[Path, Path]], tmp_path: Path) -> None:
    results, texts = batch([row(0, TEXTS[0], TORN)])
    chosen, files = save_suggestions(tmp_path / "tasks.json", results, texts, count=5)
    assert [path.name for path in files] == ["tasks.json", "tasks.xml"]
    (task,) = json.loads((tmp_path / "tasks.json").read_text(encoding="utf-8"))
    assert task["data"]["text"] == TEXTS[0]
    assert 0 <= task["predictions"][0]["score"] == pytest.approx(1 - chosen[0].judged.uncertainty, abs=1e-3)
    save_suggestions(tmp_path / "tasks.csv", results, texts, count=5)
    assert (tmp_path / "tasks.csv").read_bytes().startswith(b"\xef\xbb\xbfdocument,process,")
    with pytest.raises(CorpusError, match="--overwrite"):
        save_suggestions(tmp_path / "tasks.json", results, texts, count=5)
    with pytest.raises(CorpusError, match=r"must end in \.json"):
        save_suggestions(tmp_path / "tasks.xlsx", results, texts, count=5)
