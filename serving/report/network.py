"""The network of actors and processes, as users of the Discourse Network Analyzer expect it.

In its words: an actor is a person or organization, a process a concept, a stance the qualifier of a statement.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from serving.batch.rows import without_formula
from serving.display import visible
from serving.report.results import Statement
from stance.errors import needs
from stance.schema import LABELS

if TYPE_CHECKING:
    import networkx as nx

EDGE_COLUMNS = ("actor", "process", "stance", "weight", "first_date", "last_date", "mean_probability")
#: Those of the Analyzer's event list, then the variables of a statement.
STATEMENT_COLUMNS = (
    *("statement ID", "time", "document ID", "document title", "author", "source", "section", "type", "text"),
    *("actor", "process", "stance", "agreement", "probability"),
)
#: The Analyzer's qualifier is binary; a condition is neither.
_AGREEMENT = {"support": "1", "boycott": "0"}


def taken_of(statements: Iterable[Statement]) -> list[Statement]:
    """The statements that take a stance: the Analyzer's, for it knows no ``none``."""
    return [one for one in statements if one.stance != "none"]


def build_network(statements: Sequence[Statement]) -> nx.MultiGraph:
    """An undirected two-mode multigraph: an edge for each actor, process and stance, its weight the documents.

    Nodes carry ``name``, ``variable`` (actor or process) and ``frequency`` (rows); edges ``stance``, ``weight``,
    ``first_date`` and ``last_date`` (ISO 8601, empty if none is known) and ``mean_probability``. Actors that take no
    stance are nodes without an edge.

    Raises:
        ExtraMissing: if networkx is not installed.
    """
    with needs("networkx", "report"):
        import networkx as nx

    graph = nx.MultiGraph(id="stance")
    nodes: dict[tuple[str, str], str] = {}
    for variable, names in (
        ("actor", Counter(one.actor for one in statements)),
        ("process", Counter(one.process for one in statements)),
    ):
        for name, frequency in names.items():
            node = nodes[variable, name] = f"n{len(nodes)}"
            # XML knows no control characters.
            graph.add_node(node, name=visible(name), variable=variable, frequency=frequency)
    for number, (actor, process, *cells) in enumerate(find_edges(statements)):
        values = dict(zip(EDGE_COLUMNS[2:], cells, strict=True))
        graph.add_edge(nodes["actor", actor], nodes["process", process], id=f"e{number}", **values)
    return graph


def dump_graphml(graph: nx.MultiGraph) -> str:
    """The network as GraphML."""
    import networkx as nx

    return "\n".join(nx.generate_graphml(graph, named_key_ids=True, edge_id_from_attribute="id")) + "\n"


def find_edges(statements: Sequence[Statement]) -> Iterator[tuple[str, str, str, int, str, str, float]]:
    """The edges, with the cells of :data:`EDGE_COLUMNS`, by actor, process and stance."""
    groups: dict[tuple[str, str, int], list[Statement]] = defaultdict(list)
    for one in taken_of(statements):
        groups[one.actor, one.process, LABELS.index(one.stance)].append(one)
    for (actor, process, label), group in sorted(groups.items()):
        days = sorted(one.article.day.isoformat() for one in group if one.article.day)
        mean = round(sum(one.probability for one in group) / len(group), 4)
        yield actor, process, LABELS[label], len(group), *((days[0], days[-1]) if days else ("", "")), mean


def dump_edges(statements: Sequence[Statement]) -> str:
    """The edges as CSV."""
    return _csv([EDGE_COLUMNS, *find_edges(statements)], ",")


def dump_statements(statements: Iterable[Statement]) -> str:
    """The statements that take a stance, as the Analyzer's event list: CSV with semicolons, every cell quoted."""
    return _csv([STATEMENT_COLUMNS, *(_cells(*pair) for pair in enumerate(taken_of(statements), 1))], ";")


def _cells(number: int, one: Statement) -> tuple[object, ...]:
    time = f"{one.article.day} {one.article.clock:%H:%M:%S}" if one.article.day else ""
    about = (number, time, one.article.id, one.article.title or "", "", "", "", "", one.sentence)
    return (*about, one.actor, one.process, one.stance, _AGREEMENT.get(one.stance, ""), f"{one.probability:.4f}")


def _csv(lines: Iterable[Sequence[object]], delimiter: str) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows(map(without_formula, line) for line in lines)
    return stream.getvalue()
