"""Reads a query from plain values, as JSON gives them, strictly: an error names the path of what is
wrong. Names are those of Qdrant's Query API where it has them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from edge_mrl.errors import EdgeMrlError, InputError
from edge_mrl.retrieval.filter_parser import parse_filter
from edge_mrl.retrieval.filters import Filter
from edge_mrl.retrieval.json_values import (
    at,
    check_fields,
    check_flag,
    check_list,
    check_number,
    check_text,
    joined,
    refuse,
)
from edge_mrl.retrieval.keys import parse_key
from edge_mrl.retrieval.multi_vector import MultiVector
from edge_mrl.retrieval.question import GROUP_SIZE, LIMIT, Question
from edge_mrl.retrieval.request import (
    MAX_BRANCHES,
    MAX_DEPTH,
    MAX_LIMIT,
    PUBLISHED_K,
    Dbsf,
    Fusion,
    Lexical,
    Prefetch,
    QueryValue,
    Rrf,
    SimilarTo,
    Using,
    read_fusion,
    read_using,
)
from edge_mrl.retrieval.sparse_vector import SparseVector
from edge_mrl.slices import MAX_DIM

MAX_NODES = 64
"""Stages and branches in one tree; each is a search."""

_STAGE = ("query", "prefetch", "using", "fusion", "limit", "filter", "score_threshold")
_WHOLE = (*_STAGE, "offset", "group_by", "group_size", "explain", "exact")
_QUERIES = (
    "a text, a list of numbers or of such lists, or an object with one of nearest, lexical, "
    "indices and values, similar_to, fusion, rrf and dbsf"
)
_FUSIONS = '"rrf", "dbsf", {"rrf": {"k": 2, "weights": [1, 2]}} or {"dbsf": {}}'

T = TypeVar("T")


class QuestionError(InputError):
    """A query that cannot be read.

    Attributes:
        field: which of its own fields is at fault, or holds what is; None for none alone.
    """

    def __init__(self, message: str, field: str | None) -> None:
        super().__init__(message)
        self.field = field


def parse_question(value: object, where: str = "", *, most: int = MAX_LIMIT) -> Question:
    """A checked query.

    Args:
        value: an object with the fields of `Question`; null is as good as absent.
        where: what the path in a message starts with.
        most: how many documents any stage may hand on.

    Raises:
        QuestionError: an element is unknown or wrong; its path is named, as in
            ``prefetch[1].filter.must[0].range.gte``.
    """
    return _Reader(most).question(value, where)


def parse_query_value(value: object, where: str) -> QueryValue:
    """What is asked: a text, a vector, words, a sparse vector, token vectors or a document.

    Raises:
        InputError: it is none of them.
    """
    if isinstance(value, str):
        return check_text(value, where)
    if isinstance(value, list):
        if value and isinstance(value[0], list):
            return _multi_vector(value, where)
        return _vector(value, where)
    if isinstance(value, Mapping):
        if "nearest" in value:
            nearest = check_fields(value, where, ("nearest",))["nearest"]
            return parse_query_value(nearest, f"{where}.nearest")
        if "lexical" in value:
            words = check_fields(value, where, ("lexical",))["lexical"]
            return _lexical(words, f"{where}.lexical")
        if "indices" in value or "values" in value:
            fields = check_fields(value, where, ("indices", "values"))
            indices = check_list(fields.get("indices"), f"{where}.indices")
            values = check_list(fields.get("values"), f"{where}.values")
            with at(where):
                return SparseVector(indices, values)
        if "similar_to" in value:
            id_ = check_fields(value, where, ("similar_to",))["similar_to"]
            if isinstance(id_, bool) or not isinstance(id_, int | str):
                refuse(f"{where}.similar_to", "the id of a document", id_)
            return SimilarTo(id_)
    refuse(where, _QUERIES, value)


class _Reader:
    """Counts the nodes of one tree."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._nodes = 0

    def question(self, value: object, where: str) -> Question:
        try:
            fields = check_fields(value, where, _WHOLE)
        except InputError as error:
            raise QuestionError(str(error), None) from error

        def get(name: str, read: Callable[[object, str], T], default: T) -> T:
            found = fields.get(name)
            try:
                return default if found is None else read(found, joined(where, name))
            except EdgeMrlError as error:
                raise QuestionError(str(error), name) from error

        stage = self._stage(where, get, 0)
        rest: dict[str, Any] = {
            "offset": get("offset", lambda v, w: self._count(v, w, 0), 0),
            "group_by": get("group_by", _key, None),
            "group_size": get("group_size", lambda v, w: self._count(v, w, 1), GROUP_SIZE),
            "explain": get("explain", check_flag, default=False),
            "exact": get("exact", check_flag, default=False),
        }
        wanted = (stage["limit"] + rest["offset"]) * (
            1 if rest["group_by"] is None else rest["group_size"]
        )
        if wanted > self._most:
            raise QuestionError(
                f"{joined(where, 'limit')} and offset ask for {wanted} documents: "
                f"ask for at most {self._most}",
                "limit",
            )
        try:
            return Question(**stage, **rest)
        except EdgeMrlError as error:
            missing = "query" if stage["query"] is None and stage["fusion"] is None else None
            raise QuestionError(f"{where}: {error}" if where else str(error), missing) from error

    def _stage(self, where: str, get: Callable[..., Any], depth: int) -> dict[str, Any]:
        """The fields that every stage has."""
        self._nodes += 1
        if depth >= MAX_DEPTH:
            raise InputError(
                f"{where}: prefetches are nested deeper than {MAX_DEPTH}: simplify the query"
            )
        if self._nodes > MAX_NODES:
            raise InputError(f"{where}: a query may have at most {MAX_NODES} stages and branches")
        query, fusion = get("query", _query_or_fusion, (None, None))
        given = get("fusion", _fusion, None)
        if fusion is not None and given is not None:
            raise QuestionError(
                f"{joined(where, 'fusion')}: the query names a fusion already", "fusion"
            )
        return {
            "query": query,
            "fusion": fusion or given,
            "prefetch": get("prefetch", lambda v, w: self._branches(v, w, depth + 1), ()),
            "using": get("using", _using, None),
            "limit": get("limit", lambda v, w: self._count(v, w, 1), LIMIT),
            "filter": get("filter", _filter, None),
            "score_threshold": get("score_threshold", check_number, None),
        }

    def _branches(self, value: object, where: str, depth: int) -> tuple[Prefetch, ...]:
        if isinstance(value, Mapping):
            # Qdrant takes a single one without brackets too.
            return (self._prefetch(value, where, depth),)
        if not isinstance(value, list) or len(value) > MAX_BRANCHES:
            refuse(where, f"an object or a list of at most {MAX_BRANCHES}", value)
        return tuple(
            self._prefetch(item, f"{where}[{number}]", depth) for number, item in enumerate(value)
        )

    def _prefetch(self, value: object, where: str, depth: int) -> Prefetch:
        fields = check_fields(value, where, _STAGE)

        def get(name: str, read: Callable[[object, str], T], default: T) -> T:
            found = fields.get(name)
            return default if found is None else read(found, f"{where}.{name}")

        stage = self._stage(where, get, depth)
        with at(where):
            return Prefetch(**stage)

    def _count(self, value: object, where: str, least: int) -> int:
        most = self._most
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            refuse(where, f"a whole number from {least} to {most}", value)
        return value


def _query_or_fusion(value: object, where: str) -> tuple[QueryValue | None, Fusion | None]:
    """Qdrant writes a fusion as the query."""
    if isinstance(value, Mapping):
        if "fusion" in value:
            inner = check_fields(value, where, ("fusion",))["fusion"]
            return None, _fusion(inner, f"{where}.fusion")
        if "rrf" in value or "dbsf" in value:
            return None, _fusion(value, where)
    return parse_query_value(value, where), None


def _fusion(value: object, where: str) -> Fusion:
    if isinstance(value, str):
        with at(where):
            return read_fusion(value)
    fields = check_fields(value, where, ("rrf", "dbsf"))
    if len(fields) != 1:
        refuse(where, _FUSIONS, value)
    if "dbsf" in fields:
        check_fields(fields["dbsf"], f"{where}.dbsf", ())
        return Dbsf()
    options = check_fields(fields["rrf"], f"{where}.rrf", ("k", "weights"))
    where = f"{where}.rrf"
    k = PUBLISHED_K if options.get("k") is None else check_number(options["k"], f"{where}.k")
    weights = None
    if options.get("weights") is not None:
        listed = check_list(options["weights"], f"{where}.weights")
        weights = tuple(check_number(w, f"{where}.weights[{n}]") for n, w in enumerate(listed))
    with at(where):
        return Rrf(k, weights)


def _lexical(value: object, where: str) -> Lexical:
    if isinstance(value, str):
        return Lexical(check_text(value, where))
    fields = check_fields(value, where, ("text", "match", "prefix", "syntax"))
    flags = {
        name: check_flag(fields[name], f"{where}.{name}")
        for name in ("prefix", "syntax")
        if fields.get(name) is not None
    }
    match: Any = "any" if fields.get("match") is None else fields["match"]
    with at(where):
        return Lexical(check_text(fields.get("text"), f"{where}.text"), match, **flags)


def _vector(value: list[object], where: str) -> list[float]:
    if not 1 <= len(value) <= MAX_DIM:
        refuse(where, f"a list of 1 to {MAX_DIM} numbers", value)
    return [check_number(item, f"{where}[{number}]") for number, item in enumerate(value)]


def _multi_vector(value: list[object], where: str) -> MultiVector:
    rows = []
    for number, row in enumerate(value):
        here = f"{where}[{number}]"
        rows.append(_vector(check_list(row, here), here))
    with at(where):
        return MultiVector(rows)


def _using(value: object, where: str) -> Using:
    with at(where):
        return read_using(value)


def _filter(value: object, where: str) -> Filter:
    return parse_filter(value, where)


def _key(value: object, where: str) -> str:
    key = check_text(value, where)
    parse_key(key, where)
    return key
