"""`edge-mrl search --queries`: many queries from a file, answered as each would be alone."""

import json

import pytest

from edge_mrl.cli.main import main

TEXTS = {f"d{n}": f"The heron number {n} eats {n % 5} fish near gate {n % 3}." for n in range(60)}
TEXTS |= {7: "Parse a date from text.", "fish": "Bake fish at home."}


@pytest.fixture(scope="module")
def built(static_bundle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("queries")
    lines = [
        json.dumps(
            {"_id": id_, "text": text, "metadata": {"kind": "bird" if "heron" in text else ""}}
        )
        for id_, text in TEXTS.items()
    ]
    (folder / "corpus.jsonl").write_text("\n".join(lines))
    place = folder / "i.db"
    command = ["build", str(place), "--bundle", str(static_bundle), "--lexical", "unicode61"]
    assert main([*command, "--input", str(folder / "corpus.jsonl")]) == 0
    return place


def run(capsys, *arguments):
    capsys.readouterr()
    code = main(["search", *map(str, arguments)])
    out, error = capsys.readouterr()
    return code, out, error


def many(capsys, built, file, *flags):
    code, out, error = run(capsys, built, "--queries", file, *flags)
    assert code == 0, error
    return [json.loads(line) for line in out.splitlines()]


def alone(capsys, built, *arguments):
    code, out, error = run(capsys, built, *arguments, "--json")
    assert code == 0, error
    return json.loads(out)


def same(found, expected):
    assert [hit["id"] for hit in found["hits"]] == [hit["id"] for hit in expected["hits"]]
    scores = [hit["score"] for hit in found["hits"]]
    assert scores == pytest.approx([hit["score"] for hit in expected["hits"]], abs=1e-6)


BIRDS = '{"must": [{"key": "kind", "match": {"value": true}}]}'


@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["-k", "3", "--filter", BIRDS, "--threads", "2"],
        ["--fusion", "rrf", "--offset", "1"],
        ["--using", "lexical"],
        ["--funnel", "64x4:20", "--using", "256x8"],
        ["--exact"],
        ["--group-by", "kind"],
    ],
    ids=lambda flags: " ".join(flags[:1]),
)
def test_each_line_is_answered_as_alone(built, tmp_path, capsys, flags):
    file = tmp_path / "q.txt"
    queries = ["heron 7 fish", 'fish gate "2"', "{ is no object"]
    file.write_bytes(("\ufeff" + "\n\n".join(queries) + "\r\n").encode())
    found = many(capsys, built, file, *flags)
    assert [answer["line"] for answer in found] == [1, 3, 5]
    for answer, query in zip(found, queries, strict=True):
        expected = alone(capsys, built, query, *flags)
        same(answer, expected)
        assert ("groups" in answer) == ("groups" in expected)


def test_lines_of_whole_queries(built, tmp_path, capsys):
    asked = [
        {"query": "heron 7", "limit": 3},
        {"query": {"lexical": "fish"}, "limit": 5, "offset": 1},
        {"query": {"similar_to": 7}, "limit": 2},
        {"query": [1.0] * 256, "filter": json.loads(BIRDS)},
    ]
    file = tmp_path / "q.jsonl"
    file.write_text("\n".join(map(json.dumps, asked)))
    for answer, query in zip(many(capsys, built, file), asked, strict=True):
        same(answer, alone(capsys, built, "--query", json.dumps(query)))
    assert "stages" in many(capsys, built, file, "--explain")[0]


def test_ids_of_documents(built, tmp_path, capsys):
    file = tmp_path / "q.jsonl"
    file.write_text('{"query": {"similar_to": 7}}\n{"query": {"similar_to": "d3"}}\n')
    for answer, id_ in zip(many(capsys, built, file), ("7", "d3"), strict=True):
        same(answer, alone(capsys, built, "--similar-to", id_))


@pytest.mark.parametrize(
    ("content", "flags", "message"),
    [
        (b"", [], "is empty: write a text"),
        (b"fine\n\xff\xfe\n", [], "line 2: not UTF-8"),
        (b'{"query": "x"}\n{"query": 3}', [], "line 2.query must be"),
        (b'{"query": "x"}\nnot json', [], "line 2: not valid JSON"),
        (
            b'{"query": "x"}\n{"query": "y", "limits": 3}',
            [],
            "line 2 has the unknown field 'limits'",
        ),
        (b'{"query": "x"}', ["-k", "3"], "--queries and -k do not go together"),
        (b'{"query": "x"}', ["--using", "64x4"], "--queries and --using do not go together"),
        (b"x", ["--vector", "[1]"], "give one thing that is searched for"),
        (b"x", ["--using", "much"], "using must be a slice"),
    ],
)
def test_a_bad_file_prints_no_answer(built, tmp_path, capsys, content, flags, message):
    file = tmp_path / "q"
    file.write_bytes(content)
    code, out, error = run(capsys, built, "--queries", file, *flags)
    assert (code, out) == (2, "")
    assert message in error
    assert error.count("\n") == 1


def test_a_missing_file_is_named(built, tmp_path, capsys):
    code, out, error = run(capsys, built, "--queries", tmp_path / "none")
    assert (code, out) == (2, "")
    assert "cannot read" in error
