from __future__ import annotations

from pathlib import Path

import pytest

from training.files import save_json_whole, written_whole


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
