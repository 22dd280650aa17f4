"""The rules of ARCHITECTURE.md, held against the imports that the code really has."""

import ast
import sys
from pathlib import Path

import pytest

import edge_mrl

ROOT = Path(__file__).parent.parent
RUNTIME = ROOT / "edge_mrl"
EXPORTER = ROOT / "export" / "edge_mrl_export"

PURE = [
    "slices.py",
    "schema.py",
    "errors.py",
    "encoder/prompts.py",
    "encoder/late_interaction.py",
    "encoder/self_test.py",
    "bundle/manifest.py",
    "bundle/manifest_json.py",
    "bundle/manifest_relations.py",
    "bundle/seal.py",
    "bundle/engines.py",
    "bundle/golden.py",
    "tokenization/head.py",
    "tokenization/growth.py",
    "kernel/blocks.py",
    "kernel/hadamard.py",
    "kernel/packer.py",
    "kernel/quantizer.py",
    "kernel/reference.py",
    "kernel/score_lists.py",
    "kernel/stages.py",
    "index/format/codes.py",
    "index/format/rotation.py",
    "index/format/layout.py",
    "index/searching/funnel.py",
    "index/searching/list_choice.py",
    "index/searching/list_growth.py",
    "index/searching/row_costs.py",
    "index/searching/stored_loss.py",
    "index/searching/trials.py",
    "index/format/planes.py",
    "index/format/segment_bytes.py",
    "index/format/segments.py",
    "index/format/stages.py",
    "index/format/vector_rows.py",
    "index/searching/stored_scores.py",
    "index/searching/row_cache.py",
    "index/searching/maxsim.py",
    "index/format/token_layout.py",
    "index/format/token_records.py",
    "index/filters/places.py",
    "index/filters/sql.py",
    "index/filters/statements.py",
    "index/filters/value_tests.py",
    "index/companions/payload.py",
    "index/filters/row_mask.py",
    "index/searching/scan_list.py",
    *sorted(f"retrieval/{path.name}" for path in (RUNTIME / "retrieval").glob("*.py")),
    "vector_files/npy_array.py",
    "serve/http_error.py",
    "serve/limits.py",
    "serve/requests.py",
    "serve/responses.py",
    "planning/candidates.py",
    "planning/companion_cost.py",
    "planning/token_cost.py",
    "planning/cost.py",
    "planning/encoder_cost.py",
    "profiles/encoder_times.py",
    "planning/expected_lists.py",
    "planning/facts.py",
    "profiles/fields.py",
    "planning/file_cost.py",
    "planning/follow.py",
    "planning/overruns.py",
    "planning/plan.py",
    "planning/planner.py",
    "profiles/profile.py",
    "planning/reasons.py",
    "profiles/recognition.py",
    "planning/refusal.py",
    "planning/search_cost.py",
    "profiles/sheets.py",
    "profiles/wheels.py",
    "planning/words.py",
    "calibration/load.py",
    "calibration/sheet.py",
]
IO_MODULES = {
    "os",
    "io",
    "shutil",
    "sqlite3",
    "socket",
    "tempfile",
    "subprocess",
    "urllib",
    "http",
}
OF_AN_EXTRA = {
    "edge_mrl/cli/png.py": {"resvg_py"},
    "edge_mrl/vector_files/parquet.py": {"pyarrow"},
    "edge_mrl/serve/app.py": {"starlette"},
    "edge_mrl/serve/connections.py": {"h11", "uvicorn"},
    "edge_mrl/serve/running.py": {"uvicorn"},
}
"""The files, each alone in it, that import a package of an extra."""


def imports(file):
    """Every module that a file imports, at any depth of its code, with `from a import b` given as
    a.b too."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} has a relative import"
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def package_imports(folder):
    for file in sorted(folder.rglob("*.py")):
        for name in sorted(imports(file)):
            yield file.relative_to(ROOT).as_posix(), name


def test_the_runtime_never_imports_the_exporter():
    assert not [pair for pair in package_imports(RUNTIME) if pair[1].startswith("edge_mrl_export")]


@pytest.mark.parametrize("file", PURE)
def test_pure_files_do_no_io(file):
    path = RUNTIME / file
    assert not {name.split(".")[0] for name in imports(path)} & IO_MODULES
    names = {
        node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)
    }
    assert not names & {"open", "print", "input", "Path"}


@pytest.mark.parametrize(
    ("folder", "allowed"),
    [
        ("slices.py", {"errors", "schema"}),
        ("schema.py", {"errors"}),
        ("errors.py", set()),
        ("kernel", {"errors", "slices", "kernel"}),
        ("bundle", {"errors", "slices", "schema", "bundle"}),
        ("tokenization", {"errors", "bundle", "tokenization"}),
        ("meanwhile.py", set()),
        ("heap.py", set()),
        ("backends", {"errors", "slices", "bundle", "backends", "heap"}),
        ("retrieval", {"errors", "slices", "schema", "on_first_use", "retrieval"}),
        (
            "index",
            {
                "errors",
                "slices",
                "schema",
                "on_first_use",
                "heap",
                "kernel",
                "meanwhile",
                "retrieval",
                "index",
                "processes",
            },
        ),
        ("on_first_use.py", set()),
        ("profiles", {"errors", "schema", "bundle", "profiles"}),
        ("planning", {"errors", "slices", "schema", "bundle", "index", "profiles", "planning"}),
        (
            "encoder",
            {
                "errors",
                "slices",
                "bundle",
                "backends",
                "encoder",
                "heap",
                "index",
                "meanwhile",
                "planning",
                "schema",
                "tokenization",
            },
        ),
        ("json_lines.py", {"errors", "schema"}),
        ("corpus.py", {"errors", "index", "json_lines"}),
        (
            "vector_files",
            {"errors", "slices", "schema", "json_lines", "retrieval", "index", "vector_files"},
        ),
        (
            "serve",
            {"bundle", "encoder", "errors", "index", "retrieval", "schema", "serve", "slices"},
        ),
        ("doctor.py", {"backends", "bundle", "index", "planning", "profiles", "version"}),
        (
            "calibration",
            {
                "errors",
                "slices",
                "kernel",
                "backends",
                "bundle",
                "encoder",
                "index",
                "planning",
                "profiles",
                "calibration",
                "version",
            },
        ),
        ("bench", {"errors", "slices", "bundle", "encoder", "index", "planning", "bench"}),
    ],
)
def test_imports_follow_the_data(folder, allowed):
    place = RUNTIME / folder
    files = [place] if place.is_file() else sorted(place.rglob("*.py"))
    assert files
    for file in files:
        parts = {name.split(".")[1] for name in imports(file) if name.startswith("edge_mrl.")}
        known = {path.stem for path in RUNTIME.iterdir()}
        assert parts & known <= allowed, (
            f"{file.relative_to(ROOT)} imports {parts & known - allowed}"
        )


def test_the_index_is_built_in_floors():
    """A folder of the index imports those before it and itself, and of its single files the
    vocabulary."""
    floors = ["format", "storage", "companions", "filters", "writing", "searching", "querying"]
    vocabulary = {"records", "text_encoder", "opening"}
    for number, folder in enumerate(floors):
        for file in sorted((RUNTIME / "index" / folder).glob("*.py")):
            names = {name for name in imports(file) if name.startswith("edge_mrl.index.")}
            taken = {name.split(".")[2] for name in names}
            assert taken <= {*floors[: number + 1], *vocabulary}, f"{file.relative_to(ROOT)}"


def test_planning_takes_only_layout_segments_and_lists_from_the_index():
    taken = {
        name
        for _, name in package_imports(RUNTIME / "planning")
        if name.startswith("edge_mrl.index")
    }
    assert {".".join(name.split(".")[2:4]) for name in taken} <= {
        "format.layout",
        "format.segments",
        "searching.funnel",
        "searching.list_growth",
        "searching.row_costs",
        "searching.stored_loss",
    }


def test_only_the_output_of_the_command_line_prints():
    """It replaces what would steer a terminal."""
    for file in [*RUNTIME.rglob("*.py"), *(EXPORTER / "commands").rglob("*.py")]:
        calls = {
            node.func.id
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert "print" not in calls or file == RUNTIME / "cli" / "output.py", file


def test_runtime_needs_only_numpy_and_tokenizers():
    optional = {"onnxruntime", "ai_edge_litert", "tflite_runtime"}
    allowed = (
        set(sys.stdlib_module_names) | {"numpy", "tokenizers", "edge_mrl", "__future__"} | optional
    )
    found = {pair for pair in package_imports(RUNTIME) if pair[1].split(".")[0] not in allowed}
    assert {file for file, _ in found} <= set(OF_AN_EXTRA)
    for file, packages in OF_AN_EXTRA.items():
        assert {name.split(".")[0] for owner, name in found if owner == file} <= packages


def test_the_front_door_is_sorted_and_whole():
    assert edge_mrl.__all__ == sorted(edge_mrl.__all__)
    for name in edge_mrl.__all__:
        assert getattr(edge_mrl, name) is not None


def test_every_file_says_what_it_is():
    for folder in (RUNTIME, EXPORTER):
        for file in folder.rglob("*.py"):
            assert ast.get_docstring(ast.parse(file.read_text())), file
