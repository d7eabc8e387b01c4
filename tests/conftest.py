"""Tiny, real models made on the spot: a two-layer BERT with a vocabulary of the corpus, exported and bundled."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from training.corpus import Located

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
# Read when torch is loaded, here and in what is started. With more, models as small as these mostly wait for their
# threads, which keep the cores of the other tests busy: a fine-tuning takes five times the time of the processor.
os.environ.setdefault("OMP_NUM_THREADS", "1")

MakeOnce = Callable[[str, Callable[[Path], None]], Path]

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "data" / "corpus"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with a slow test come first, so that none of them is left for one process alone at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def whole_corpus() -> list[Located]:
    """All records that are trained on, found sound as they were read; seconds to load, so once."""
    from training.corpus import load_corpus

    return load_corpus()


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory) -> MakeOnce:
    """Makes a folder once for all processes that run the tests: the first that asks makes it, the others wait."""
    own = tmp_path_factory.getbasetemp()
    common = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def once(name: str, make: Callable[[Path], None]) -> Path:
        folder, made = common / name, common / f"{name}.made"
        with FileLock(f"{folder}.lock"):
            if not made.exists():
                folder.mkdir()
                make(folder)
                made.touch()
        return folder

    return once


@pytest.fixture(scope="session")
def small_corpus(make_once: MakeOnce) -> Path:
    """About ninety records of the corpus, some in every split."""
    return make_once("corpus", _write_small_corpus)


def _write_small_corpus(folder: Path) -> None:
    wanted = {"train": 60, "dev": 16, "test": 16}
    lines = []
    for path in sorted(CORPUS.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            if wanted.get(record.get("split"), 0) and not record["id"].endswith("b") and len(record["text"]) < 900:
                wanted[record["split"]] -= 1
                lines.append(line)
    (folder / "small.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def tiny_backbone(make_once: MakeOnce, small_corpus: Path) -> Path:
    """A backbone with random weights, as a folder that transformers loads."""
    return make_once("backbone", lambda folder: _save_tiny_backbone(folder, small_corpus))


def _save_tiny_backbone(folder: Path, small_corpus: Path) -> None:
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    texts = [json.loads(line)["text"] for line in (small_corpus / "small.jsonl").read_text().splitlines()]
    trained = BertWordPieceTokenizer(lowercase=True)
    trained.train_from_iterator(texts, vocab_size=800, show_progress=False)
    tokenizer = BertTokenizerFast(tokenizer_object=trained._tokenizer)
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=512,
    )
    torch.manual_seed(13)
    BertModel(config).save_pretrained(folder)


@pytest.fixture(scope="session")
def tiny_bundle(make_once: MakeOnce, small_corpus: Path, tiny_backbone: Path) -> Path:
    """A bundle that the whole pipeline made from the tiny backbone; its labels mean nothing."""
    return make_once("made", lambda folder: _make_tiny_bundle(folder, small_corpus, tiny_backbone)) / "models" / "tiny"


def _make_tiny_bundle(folder: Path, small_corpus: Path, tiny_backbone: Path) -> None:
    from training import pipeline
    from training.config import TrainingConfig
    from training.data import load_data

    config = TrainingConfig(backbone=str(tiny_backbone), epochs=1.0, learning_rate=1e-3, key_size=8)
    data, bundle = load_data([small_corpus]), folder / "models" / "tiny"
    pipeline.run(data, config, folder=bundle, runs=folder / "runs", min_agreement=0.5, progress=False)


@pytest.fixture
def write_records(tmp_path: Path) -> Callable[..., Path]:
    """Writes records, each a change of a sound one, to a file."""

    def write(*changes: dict[str, object], name: str = "records.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps({**SOUND, "id": f"t-{n}", **one}) + "\n" for n, one in enumerate(changes)))
        return path

    return write


SOUND: dict[str, object] = {
    "id": "t-0",
    "register": "wire",
    "process": "Sochi congress",
    "text": "Turkey will send a delegation to Sochi. The Delta Council stayed away.",
    "tags": ["background"],
    "split": "train",
    "actors": [
        {"actor": "Turkey", "mentions": ["Turkey"], "label": "support", "evidence": ["will send a delegation"]},
        {"actor": "Delta Council", "mentions": ["Delta Council"], "label": "boycott", "evidence": ["stayed away"]},
    ],
}
