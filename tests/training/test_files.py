from __future__ import annotations

from pathlib import Path

import pytest

from stance.errors import StanceError
from training.files import load_stamped, save_json_whole, written_whole


def stop_while_writing(path: Path) -> None:
    with written_whole(path) as temporary:
        temporary.write_text("[")
        raise KeyboardInterrupt


def test_a_stop_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "result.json"
    save_json_whole(path, [1])
    with pytest.raises(KeyboardInterrupt):
        stop_while_writing(path)
    assert path.read_text() == "[\n  1\n]\n"
    assert list(path.parent.iterdir()) == [path]


def test_a_result_is_gone_on_with_under_the_same_stamp_only(tmp_path: Path) -> None:
    path, stamp = tmp_path / "result.json", {"on": "test", "digest": "a"}
    assert load_stamped(path, stamp) == stamp
    save_json_whole(path, {**stamp, "rows": [1]})
    assert load_stamped(path, stamp) == {**stamp, "rows": [1]}
    with pytest.raises(StanceError, match=r"result\.json: made with other settings or data \(digest\); give another"):
        load_stamped(path, {**stamp, "digest": "b"})
    for text, told in (('{"on": ', ""), ("[]", "expected a JSON object, found list; give another --name")):
        path.write_text(text)
        with pytest.raises(StanceError, match=rf"result\.json: cannot be read: .*{told}"):
            load_stamped(path, stamp)
