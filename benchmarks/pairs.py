"""What one would write today: a text-classification pipeline of transformers, fp32, one (actor, sentence) at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from articles import Article

from serving.settings import cores
from stance.schema import LABELS
from stance.text import find_sentences

Pair = tuple[str, str]


def make_pipeline() -> Any:
    """The pipeline, over the same backbone as ours with a fresh head of four labels, on all cores."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline, set_seed

    from training.weights import backbone_path

    torch.set_num_threads(cores())
    path = backbone_path("minilm")
    set_seed(13)
    model = AutoModelForSequenceClassification.from_pretrained(path, num_labels=len(LABELS), dtype=torch.float32)
    return pipeline("text-classification", model=model.eval(), tokenizer=AutoTokenizer.from_pretrained(path))


def find_pairs(article: Article, *, only_named: bool) -> list[Pair]:
    """Every actor with every sentence, or only with those that name it."""
    sentences = [article.text[one.start : one.end] for one in find_sentences(article.text)]
    return [
        (names[0], sentence)
        for names in article.names
        for sentence in sentences
        if not only_named or any(name in sentence for name in names)
    ]


def time_pairs(classify: Any, articles: Sequence[Article], *, only_named: bool) -> float:
    """Articles a second."""
    pairs = [pair for article in articles for pair in find_pairs(article, only_named=only_named)]
    for actor, sentence in pairs[:3]:
        classify({"text": actor, "text_pair": sentence})
    started = time.perf_counter()
    for actor, sentence in pairs:
        classify({"text": actor, "text_pair": sentence})
    return len(articles) / (time.perf_counter() - started)
