from __future__ import annotations

import numpy as np
import pytest

from stance.encoding import Window
from stance.head import HeadLayout, attend, find_tagged, join_windows, link_mentions, mention_importance, pool_mentions
from stance.schema import LABELS, Span

LAYOUT = HeadLayout(key_size=2)


def test_the_layout_has_no_gap() -> None:
    parts = [LAYOUT.tags, LAYOUT.stance, LAYOUT.cues, LAYOUT.key, LAYOUT.query]
    assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]
    assert LAYOUT.size == LAYOUT.query.stop == 3 + 4 + 4 + 2 + 2


def test_a_mention_takes_the_cue_that_its_query_picks() -> None:
    logits = np.zeros((4, LAYOUT.size), dtype=np.float32)  # nothing, actor one, actor two, cue
    logits[1, LAYOUT.query] = [20, 0]
    logits[2, LAYOUT.query] = [0, 20]
    logits[0, LAYOUT.key] = [0, 20]
    logits[3, LAYOUT.key] = [20, 0]
    logits[0, LAYOUT.cues] = [0, 0, 0, 3]
    logits[3, LAYOUT.cues] = [0, 5, 0, 0]
    mentions = np.eye(4, dtype=np.float32)[[1, 2]]
    stances, attention = attend(mentions @ logits, logits, LAYOUT)
    assert np.array_equal(link_mentions(logits, mentions, LAYOUT), stances)
    assert [LABELS[one] for one in stances.argmax(axis=1)] == ["boycott", "none"]
    assert attention[0, 3] == pytest.approx(1, abs=1e-4)
    assert attention[1, 0] == pytest.approx(1, abs=1e-4)


def test_a_mention_is_a_mean_over_its_tokens() -> None:
    logits = np.zeros((3, LAYOUT.size), dtype=np.float32)
    logits[1, LAYOUT.stance] = [4, 0, 0, 0]
    logits[2, LAYOUT.stance] = [0, 2, 0, 0]
    stances = link_mentions(logits, np.asarray([[0, 0.5, 0.5]], dtype=np.float32), LAYOUT)
    assert stances[0].tolist() == [2, 1, 0, 0]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("OBIIO", [Span(1, 4)]),
        ("BB", [Span(0, 1), Span(1, 2)]),
        ("OII", [Span(1, 3)]),
        ("OOO", []),
        ("IOB", [Span(0, 1), Span(2, 3)]),
    ],
)
def test_tags_become_spans(tags: str, expected: list[Span]) -> None:
    # Tokens that stand apart: one character each, with a gap where the test's letters do not touch.
    logits = np.eye(3, dtype=np.float32)[["OBI".index(tag) for tag in tags]]
    offsets = np.asarray([(2 * n, 2 * n + 1) for n in range(len(tags))])
    spaced = [Span(2 * span.start, 2 * span.end - 1) for span in expected]
    assert find_tagged(logits, offsets) == spaced


def test_a_second_piece_of_a_word_does_not_begin_a_name() -> None:
    logits = np.eye(3, dtype=np.float32)[[1, 1, 0]]
    assert find_tagged(logits, np.asarray([(0, 3), (3, 6), (7, 9)])) == [Span(0, 6)]


def test_a_mention_that_shows_a_stance_outweighs_many_that_do_not() -> None:
    background, telling = [0, 0, 0, 6], [0, 5, 0, 0]
    logits = np.asarray([background, background, background, telling, background], dtype=np.float32)
    pooled = pool_mentions(logits, np.asarray([0, 0, 0, 0, 1]), 2)
    assert [LABELS[one] for one in pooled.argmax(axis=1)] == ["boycott", "none"]
    assert np.allclose(np.exp(pooled).sum(axis=1), 1, atol=1e-4)
    counts = mention_importance(logits)
    assert counts[3] > 0.9 * counts[:4].sum()


def test_windows_are_joined_without_what_they_read_again() -> None:
    ids = np.zeros(5, dtype=np.int64)
    windows = [Window(ids, ids, 2, 2), Window(ids, ids, 3, 1)]
    logits = [np.arange(start, start + 5, dtype=np.float32)[:, None] for start in (0, 10)]
    assert join_windows(windows, logits)[:, 0].tolist() == [0, 2, 3, 13]
