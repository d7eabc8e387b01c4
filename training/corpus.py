"""Labelled passages: JSONL files, checked line by line, to the values that the rest of the house uses."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator

from stance.actors import Lexicon, find_given
from stance.errors import CorpusError
from stance.schema import MAX_ACTORS, MAX_TEXT_LENGTH, Actor, Label, Mentioned, Process
from stance.text import join_lines
from training.formats import Strict, faults_of

DATA = Path(__file__).resolve().parent.parent / "data"
CORPUS = DATA / "corpus"
GOLD = DATA / "gold"
BEHAVIOUR = DATA / "behaviour"
#: Words that make a text a full-length article.
FULL_LENGTH = 350

Split = Literal["train", "dev", "test"]
Register = Literal[
    "wire",
    "regional_press",
    "broadcast",
    "statement",
    "un_readout",
    "transcript",
    "oped",
    "social",
    "headline",
    "translated_press",
    "analysis",
]
Tag = Literal[
    "disagreement",
    "implicit_refusal",
    "implicit_support",
    "open_condition",
    "condition_resolved",
    "latest_position",
    "act_over_word",
    "negated_boycott",
    "third_party_claim",
    "invited",
    "kept_out",
    "background",
    "other_track",
    "part_whole",
    "spokesperson",
    "long_distance",
    "euphemism",
]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")
_PRONOUNS = frozenset(
    ["he", "she", "it", "they", "we", "i", "you", "his", "her", "its", "their", "our", "my", "who", "him", "them", "us"]
)
#: What word processors and spreadsheets put for each other.
_ALIKE = ("'’‘ʼ`´", '"“”„«»', "-‐‑–—")

Filled = Annotated[str, Field(pattern=r"\S")]


class LabelledActor(Strict):
    """One actor of a record: the strings that name it, its label, and the strings that show it.

    ``readings`` are the labels of blind readers, gold's or several annotators, before differences were settled.
    """

    actor: Filled
    mentions: tuple[Filled, ...] = Field(min_length=1)
    label: Label
    evidence: tuple[Filled, ...] = ()
    ambiguous: bool = False
    label2: Label | None = None
    readings: tuple[Label, ...] = ()

    def as_in(self, text: str) -> LabelledActor:
        """The same, with spaces, quotation marks and dashes as the text has them; programs change those."""
        mentions, evidence = (tuple(words_as_in(text, one) for one in ones) for ones in (self.mentions, self.evidence))
        if (mentions, evidence) == (self.mentions, self.evidence):
            return self
        return self.model_copy(update={"mentions": mentions, "evidence": evidence})


def words_as_in(text: str, words: str) -> str:
    """Words with the spaces, quotation marks and dashes that a text has in their place; as given if it lacks them."""
    if words in text:
        return words
    found = re.search("".join(_alike(one) for one in re.findall(r"\s+|.", words)), text)
    return found.group() if found else words


def _alike(part: str) -> str:
    """A pattern for one character, or a run of spaces, and all that is put in its place."""
    if part.isspace():
        return r"\s+"
    return next((f"[{re.escape(ones)}]" for ones in _ALIKE if part in ones), re.escape(part))


class Source(Strict):
    """The report that a gold item retells."""

    url: str = Field(pattern="^https?://")
    outlet: str
    date: str


class Record(Strict):
    """A passage judged on one process. An id that ends in ``b`` is its twin's text judged on a second process.

    Text, mentions and evidence are as :func:`stance.classify.classify_document` reads them: lines that were broken to
    a width are joined, which keeps every offset.
    """

    id: str = Field(pattern=r"^[\w-]+$")
    text_register: Register = Field(alias="register")
    process: Filled = Field(max_length=200)
    text: Annotated[Filled, Field(max_length=MAX_TEXT_LENGTH), AfterValidator(join_lines)]
    actors: tuple[LabelledActor, ...]
    tags: tuple[Tag, ...] = ()
    split: Split | None = None
    event: str | None = None
    source: Source | None = None

    @field_validator("actors")
    @classmethod
    def _join_words(cls, actors: tuple[LabelledActor, ...], info: ValidationInfo) -> tuple[LabelledActor, ...]:
        text = info.data.get("text", "")
        return tuple(one.as_in(text) for one in actors)

    @property
    def passage(self) -> str:
        """What twins share."""
        return self.id.removesuffix("b")

    @property
    def origin(self) -> str:
        """What a bootstrap draws as one: the event that a gold record retells, else the passage."""
        return self.event or self.passage

    @property
    def clear(self) -> tuple[LabelledActor, ...]:
        """The actors whose label is not ambiguous, in order."""
        return tuple(one for one in self.actors if not one.ambiguous)

    def mentioned(self, lexicon: Lexicon) -> list[tuple[LabelledActor, Mentioned]]:
        """Every actor, in order, with its mentions as they are found where one asks for just these actors."""
        return list(zip(self.actors, find_given(self.text, self.requested(), lexicon), strict=True))

    def requested(self) -> tuple[Actor, ...]:
        """The record's actors as one would ask the service for them."""
        return tuple(Actor(one.actor, one.mentions) for one in self.actors)


@dataclass(frozen=True, slots=True)
class Located:
    """A record and where it stands."""

    path: Path
    line: int
    record: Record

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


def corpus_files(paths: Sequence[Path]) -> list[Path]:
    """The JSONL files among and below ``paths``, in order.

    Raises:
        CorpusError: if a path does not exist or is no JSONL, or there are no files.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise CorpusError([f"{path}: does not exist; give a .jsonl file or a folder of them"])
        if not path.is_dir() and path.suffix.lower() != ".jsonl":
            told = "must end in .jsonl; `train import` makes one of an export of Label Studio or of a table"
            raise CorpusError([f"{path}: {told}"])
        files += sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise CorpusError([f"{', '.join(map(str, paths))}: no .jsonl files"])
    return files


def load_corpus(paths: Sequence[Path] = (CORPUS,)) -> list[Located]:
    """Read and check records.

    Raises:
        CorpusError: with one ``file:line`` for each fault.
    """
    faults: list[str] = []
    located: list[Located] = []
    for path in corpus_files(paths):
        lines = list(read_lines(path))
        if not lines:
            faults.append(f"{path}: is empty; a line must hold a record")
        for number, line in lines:
            one = _parse_line(path, number, line, faults)
            if one is not None:
                located.append(one)
    faults += check_records(located)
    if faults:
        raise CorpusError(faults)
    return located


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a JSONL file with their numbers, from 1; blank ones are passed over.

    Only a line feed ends a line: a string in JSON may hold other line breaks.

    Raises:
        CorpusError: if it cannot be read or is not UTF-8.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CorpusError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        told = f"{path}: is no text in UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8"
        raise CorpusError([told]) from error
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line


def _parse_line(path: Path, number: int, line: str, faults: list[str]) -> Located | None:
    try:
        return Located(path, number, Record.model_validate_json(line))
    except ValidationError as error:
        faults += faults_of(error, f"{path}:{number}")
        return None


def check_records(located: Iterable[Located]) -> list[str]:
    """Faults that a single field does not show, as ``file:line: what, received what``."""
    faults: list[str] = []
    ids: dict[str, Located] = {}
    passages: dict[str, Located] = {}
    texts: dict[str, Located] = {}
    for one in located:
        record = one.record
        first = ids.setdefault(record.id, one)
        if first is not one:
            faults.append(f"{one}: id: {record.id!r} is used in {first} already")
        twin = passages.setdefault(record.passage, one)
        if twin.record.text != record.text:
            faults.append(f"{one}: text: differs from its twin's in {twin}")
        if None not in (twin.record.split, record.split) and twin.record.split != record.split:
            faults.append(f"{one}: split: received {record.split!r}, its twin in {twin} is in {twin.record.split!r}")
        same = texts.setdefault(record.text, one)
        if same.record.passage != record.passage:
            told = f"a second process takes the id {same.record.passage}b"
            if same.record.process == record.process:
                told = "and the process too; keep one of them"
            faults.append(f"{one}: text: the same as in {same}, {told}")
        if record.source is not None and record.split == "train":
            faults.append(f"{one}: split: received 'train'; gold, which has a source, is never trained on")
        faults += [f"{one}: {fault}" for fault in _actor_faults(record)]
    return faults


def _actor_faults(record: Record) -> Iterator[str]:
    if not record.actors:
        yield "actors: none is listed; received []"
    if len(record.actors) > MAX_ACTORS:
        yield f"actors: at most {MAX_ACTORS} may be asked for in one text; received {len(record.actors)}"
    owners: dict[str, str] = {}
    for name, count in Counter(one.actor for one in record.actors).items():
        if count > 1:
            yield f"actors: {name!r} is listed {count} times"
    for one in record.actors:
        yield from label_faults(record.text, one)
        for mention in one.mentions:
            if owners.setdefault(mention, one.actor) != one.actor:
                yield f"{one.actor}: mention {mention!r} names {owners[mention]!r} too"


def label_faults(text: str, one: LabelledActor) -> Iterator[str]:
    """Faults of one actor's label toward a text, as ``actor: what``."""
    if (one.label == "none") != (not one.evidence):
        yield f"{one.actor}: label {one.label!r} with {len(one.evidence)} pieces of evidence; only 'none' has none"
    if one.label2 == one.label:
        yield f"{one.actor}: label2 {one.label2!r} is its label already; it is for another that holds as well"
    if one.label2 is not None and not one.ambiguous:
        yield f'{one.actor}: label2 {one.label2!r} without "ambiguous": true'
    for mention in one.mentions:
        if mention.lower() in _PRONOUNS and mention != "US":
            yield f"{one.actor}: mention {mention!r} is a pronoun"
        elif not _has_words(text, mention):
            yield f"{one.actor}: mention {mention!r} is not in the text as whole words"
    for evidence in one.evidence:
        if evidence not in text:
            yield f"{one.actor}: evidence {evidence!r} is not in the text"


def _has_words(text: str, mention: str) -> bool:
    """Whether a text has a mention as whole words; a pattern for each would take most of the time of a corpus."""
    start = text.find(mention)
    while start >= 0:
        around = text[max(0, start - 1) : start], text[start + len(mention) : start + len(mention) + 1]
        if not any(one.isalnum() or one == "_" for one in around):
            return True
        start = text.find(mention, start + 1)
    return False


def spread(located: Sequence[Located], records: int) -> Sequence[Located]:
    """At most so many of the records, evenly over all: the files go from kind to kind."""
    count = min(len(located), records)
    return [located[place * len(located) // count] for place in range(count)]


def corpus_digest(located: Iterable[Located]) -> str:
    """SHA-256 over what is learnt from in the records, whatever files they lie in; tags are not."""
    digest = hashlib.sha256()
    for line in sorted(one.record.model_dump_json(by_alias=True, exclude={"tags"}) for one in located):
        digest.update(line.encode())
    return digest.hexdigest()


class ProcessNames:
    """Finds the known process that a record's free wording means.

    Args:
        processes: the known ones, as in ``processes.json``.
    """

    def __init__(self, processes: Iterable[Process]) -> None:
        self.known = tuple(processes)
        self._by_name = {fold_name(name): one for one in self.known for name in (one.key, one.name, *one.aliases)}

    def resolve(self, name: str) -> Process:
        """The known process of that key, name or alias, in any case, or a free one."""
        return self._by_name.get(fold_name(name)) or Process(name)


def fold_name(name: str) -> str:
    """A process's name without case and leading article, so that its spellings compare equal."""
    return re.sub(r"^the ", "", name.casefold())
