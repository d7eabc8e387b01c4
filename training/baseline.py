"""The scikit-learn baseline, and two yardsticks that look at no text: the majority label and the actor's name alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from stance.actors import Lexicon
from stance.baseline import describe
from stance.schema import LABEL2ID
from stance.text import find_sentences
from training.corpus import Located


def fit_baseline(train: Sequence[Located], lexicon: Lexicon, *, seed: int = 13) -> Pipeline:
    """Fit TF-IDF (words and pairs of words) of the masked surroundings, and a logistic regression."""
    texts, labels = [], []
    for one in train:
        mentioned = one.record.mentioned(lexicon)
        sentences = find_sentences(one.record.text)
        for place, (actor, found) in enumerate(mentioned):
            others = [span for number, (_, other) in enumerate(mentioned) if number != place for span in other.mentions]
            if found.mentions and not actor.ambiguous:
                texts.append(describe(one.record.text, found.mentions, others, sentences))
                labels.append(actor.label)
    return _text_classifier(TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True), seed).fit(texts, labels)


def _text_classifier(vectorizer: TfidfVectorizer, seed: int) -> Pipeline:
    model = LogisticRegression(C=4.0, max_iter=2000, class_weight="balanced", random_state=seed)
    return make_pipeline(vectorizer, model)


def predict_yardsticks(train: Sequence[Located], test: Sequence[Located]) -> dict[str, NDArray[np.int64]]:
    """Label ids by the majority label and by the name alone, for every clear actor of ``test`` in order."""
    return {
        name: predict_by_name(fit(train), test)
        for name, fit in {"majority": fit_majority, "name only": fit_name_only}.items()
    }


def fit_majority(train: Sequence[Located]) -> DummyClassifier:
    """Fit a classifier of names that always says the commonest label."""
    return DummyClassifier(strategy="most_frequent").fit(*_names(train))


def fit_chance(train: Sequence[Located], *, seed: int = 13) -> DummyClassifier:
    """Fit a classifier that draws labels by their shares: it knows nothing, and yet names all labels."""
    return DummyClassifier(strategy="stratified", random_state=seed).fit(*_names(train))


def fit_name_only(train: Sequence[Located]) -> Pipeline:
    """Fit a classifier that sees an actor's name and nothing of the text."""
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=2, sublinear_tf=True)
    return _text_classifier(letters, 13).fit(*_names(train))


def predict_by_name(estimator: DummyClassifier | Pipeline, test: Sequence[Located]) -> NDArray[np.int64]:
    """Label ids by a classifier of names, for every clear actor of ``test`` in order."""
    wanted, _ = _names(test)
    labels = estimator.predict(wanted) if wanted else []
    return np.asarray([LABEL2ID[label] for label in labels], dtype=np.int64)


def _names(located: Sequence[Located]) -> tuple[list[str], list[str]]:
    clear = [actor for one in located for actor in one.record.clear]
    return [actor.actor for actor in clear], [actor.label for actor in clear]
