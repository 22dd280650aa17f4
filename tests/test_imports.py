"""What importing loads, in fresh processes: on a small board each module counts."""

import subprocess
import sys

AT_IMPORT = {
    "": "backends bundle encoder errors index meanwhile on_first_use schema slices tokenization "
    "version",
    "backends": "engines protocol",
    "bundle": "engines manifest manifest_json manifest_relations reader seal",
    "encoder": "encoder loaded_variant prompts self_test tokens",
    "index": "adding administration companions format index planned querying records text_encoder "
    "writing",
    "index.companions": "following",
    "index.format": "layout",
    "index.querying": "hit search vectors",
    "index.writing": "batch",
    "tokenization": "text_tokenizer",
}
"""What `from edge_mrl import Encoder, Index` loads of this package: the faces."""

BY_THE_FIRST_HIT = {
    "": "kernel retrieval",
    "index": "filters opening searching storage",
    "index.filters": "row_mask",
    "index.format": "codes planes rotation segment_bytes segments stages vector_rows",
    "index.searching": "dense funnel list_growth margin reread resident row_cache row_numbers "
    "scan_list searcher stored_scores streamed vector_pool",
    "index.storage": "connection database facts meta packing schema_sql segment_reading "
    "segment_store store",
    "kernel": "bit_planes blocks checked_rows dispatch hadamard library native native_codes "
    "numpy_kernel packer protocol quantizer reference room score_lists stages",
    "retrieval": "ranking",
}
"""What opening an index and searching it loads on top. A file more belongs here only if every
search needs it; what adding, filters or queries of stages need is imported by them."""

STANDARD_ON_THE_WAY = {
    *("__future__", "errno", "fnmatch", "importlib", "ipaddress", "ntpath", "pathlib"),
    *("threading", "urllib"),
    *("numpy",),  # numpy.typing
}
"""What the import loads beside that, over numpy and tokenizers."""


def loaded_by(statement, folder=None):
    code = f"import sys; {statement}; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder
    )
    return set(done.stdout.split())


def modules(listed):
    """Full names from names by package."""
    inner = {
        ".".join(filter(None, ["edge_mrl", package, name]))
        for package, names in listed.items()
        for name in names.split()
    }
    return {"edge_mrl", *inner}


def own(loaded):
    return {name for name in loaded if name.split(".")[0] == "edge_mrl"}


def test_the_import_loads_the_faces_and_no_more():
    """A module more is a tenth of a millisecond here and several on a small board."""
    assert own(loaded_by("from edge_mrl import Encoder, Index")) == modules(AT_IMPORT)
    base = loaded_by("import numpy, tokenizers")
    further = loaded_by("import numpy, tokenizers; from edge_mrl import Encoder, Index") - base
    assert {name.split(".")[0] for name in further - own(further)} <= STANDARD_ON_THE_WAY


def test_the_first_hit_loads_what_it_needs_and_no_more(tmp_path):
    """Adding needs more."""
    statement = "from edge_mrl import Encoder, Index; import numpy; "
    made = "Index.create('made.db', dim=8, matryoshka_dims=(8,), identity='a')"
    vectors = "numpy.eye(8, dtype=numpy.float32)"
    fill = f"index = {made}; index.add(ids=list(range(8)), vectors={vectors}); index.close()"
    search = f"assert Index.open('made.db').search({vectors}[3], 2)[0].id == 3"
    filled = own(loaded_by(f"{statement}{fill}", tmp_path))
    assert {"edge_mrl.index.writing.ingest", "edge_mrl.index.companions.in_step"} <= filled
    found = own(loaded_by(f"{statement}{search}", tmp_path))
    assert found == modules(AT_IMPORT) | modules(BY_THE_FIRST_HIT)


def test_what_the_way_to_a_hit_defines_is_cheap_to_define():
    """A frozen dataclass takes 0.45 ms to define, a NamedTuple 0.06."""
    statement = (
        "import edge_mrl.index.opening, edge_mrl.index.searching.dense; "
        "from edge_mrl import Encoder, Index; import sys, dataclasses; "
        "print(*[t.__name__ for m in list(sys.modules.values()) for t in vars(m).values() "
        "if isinstance(t, type) and t.__module__ == m.__name__ and dataclasses.is_dataclass(t) "
        "and m.__name__.startswith('edge_mrl')], sep='\\n')"
    )
    found = {name for name in loaded_by(statement) if name.isidentifier() and name[0].isupper()}
    assert not found


def test_importing_the_runtime_loads_no_engine_and_no_exporter():
    loaded = loaded_by("import edge_mrl; [getattr(edge_mrl, name) for name in edge_mrl.__all__]")
    heavy = {
        "torch",
        "onnx",
        "onnxruntime",
        "transformers",
        "optimum",
        "ai_edge_litert",
        "tflite_runtime",
    }
    assert not loaded & heavy
    assert not [name for name in loaded if name.startswith("edge_mrl_export")]


def test_the_command_line_loads_no_web_server_before_it_serves():
    statement = "import edge_mrl.cli.serve, edge_mrl.cli.build, edge_mrl.cli.add"
    assert not loaded_by(statement) & {"uvicorn", "starlette", "h11", "pyarrow"}


def test_a_search_by_command_loads_no_planner_and_no_file_formats(tmp_path):
    """They are for a profile, and for files of vectors."""
    vector = "[1, 0, 0, 0, 0, 0, 0, 0]"
    statement = (
        "import numpy; from edge_mrl import Index; from edge_mrl.cli.main import main; "
        "made = Index.create('made.db', dim=8, matryoshka_dims=(8,), identity='a'); "
        "made.add(ids=[1], vectors=numpy.eye(8, dtype='f4')[:1]); made.close(); "
        f"assert main(['search', 'made.db', '--vector', '{vector}']) == 0"
    )
    found = own(loaded_by(statement, tmp_path))
    assert "edge_mrl.cli.search" in found
    assert not {name for name in found if name.split(".")[1:2] in (["planning"], ["vector_files"])}


def test_importing_the_exporter_is_light_too():
    loaded = loaded_by("import edge_mrl_export")
    assert not loaded & {"torch", "transformers", "optimum", "sentence_transformers"}
