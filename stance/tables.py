"""Tables as CSV, as batches read them and what was made of a batch is read again."""

from __future__ import annotations

import re

#: A name in quotes, in which a mark parts nothing; one with a line break is left open in the header's first line.
_QUOTED = re.compile(r'(?:^|(?<=[,;\t]))"(?:[^"]|"")*+(?:"|$)')


def find_delimiter(header: str) -> str:
    """Which of comma, semicolon and tab parts the columns of a table.

    Args:
        header: the first line of the file.
    """
    return max(",;\t", key=_QUOTED.sub("", header).count)
