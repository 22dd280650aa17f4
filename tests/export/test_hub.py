"""Models named by their id on the hub, without a network.

The cache is filled as the hub's own library fills it; where a download is looked at, that library's
function is replaced."""

import shutil

import huggingface_hub
import pytest
from huggingface_hub import constants, errors
from huggingface_hub.utils import reset_sessions

from edge_mrl.bundle import Bundle
from edge_mrl.cli.main import main
from edge_mrl.errors import ExportError
from edge_mrl_export import ExportOptions
from edge_mrl_export.sources import open_source
from edge_mrl_export.sources.hub import fetch, is_hub_id
from tests.export.st_models import write_bert, write_modules
from tests.export.static_models import write_model2vec, write_static_embedding

NAME = "heron-lab/reeds-mini"
COMMIT = "5d3c1f0e9b8a7d6c5b4a39281706f5e4d3c2b1a0"
OLDER = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and no network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    # A session that was opened before does not know.
    reset_sessions()
    yield tmp_path / "hub"
    reset_sessions()


def keep(cache, folder, commit=COMMIT, branch="main"):
    """Put a model folder into the cache as a snapshot: blobs, and links to them."""
    repository = cache / f"models--{NAME.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True, exist_ok=True)
    (repository / "refs" / branch).write_text(commit)
    for number, path in enumerate(sorted(folder.rglob("*"))):
        if path.is_file():
            blob = repository / "blobs" / f"{commit}-{number}"
            blob.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, blob)
            link = repository / "snapshots" / commit / path.relative_to(folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(blob)
    return repository / "snapshots" / commit


def test_a_snapshot_in_the_cache_is_found_offline(cache, tmp_path):
    keep(cache, write_static_embedding(tmp_path / "m"))
    description = open_source(NAME, ExportOptions()).describe()
    assert description.name == "reeds-mini"
    assert description.source == f"{NAME} on the Hugging Face hub, commit {COMMIT}"
    assert (
        description.identity
        == open_source(str(tmp_path / "m"), ExportOptions()).describe().identity
    )


@pytest.mark.parametrize("revision", ["v1", OLDER])
def test_a_revision_is_a_branch_or_a_commit(cache, tmp_path, revision):
    keep(cache, write_static_embedding(tmp_path / "new"))
    keep(cache, write_model2vec(tmp_path / "old"), OLDER, "v1")
    source = open_source(NAME, ExportOptions(revision=revision, dims=(8,)))
    assert OLDER in source.describe().source


def test_a_transformer_in_the_cache(cache, tmp_path):
    pytest.importorskip("sentence_transformers")
    write_bert(tmp_path / "m")
    keep(cache, write_modules(tmp_path / "m", 6))
    source = open_source(NAME, ExportOptions())
    assert source.describe().name == "reeds-mini"
    assert source.reference(["heron"]).shape == (1, 48)


def test_adapt_and_layers_take_an_id(cache, few_texts, tmp_path, capsys):
    pytest.importorskip("sentence_transformers")
    write_bert(tmp_path / "m")
    snapshot = keep(cache, write_modules(tmp_path / "m", 5), OLDER, "v1")
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(f"heron {n} in reed {n * 7 % 31}" for n in range(200)))
    named = [NAME, "--revision", "v1"]
    arguments = ["--texts", str(texts), "--epochs", "1", "-o", str(tmp_path / "adapted")]
    assert main(["adapt", *named, *arguments]) == 0
    adapted = [path for path in (tmp_path / "adapted").rglob("*") if path.is_file()]
    assert not any(path.is_symlink() for path in adapted)
    weights = tmp_path / "adapted" / "model.safetensors"
    assert weights.read_bytes() == (snapshot / "model.safetensors").read_bytes()

    arguments = ["--formats", "onnx", "--precision", "fp32", "-o", str(tmp_path / "bundle")]
    assert main(["export", *named, "--layers", "1", "--texts", str(few_texts), *arguments]) == 0
    model = Bundle.open(tmp_path / "bundle").manifest.model
    assert model.name == "reeds-mini-1-layers"
    assert model.source == f"{NAME} on the Hugging Face hub, commit {OLDER}, first 1 layers"
    assert main(["export", "wordllama", "--layers", "1", "-o", str(tmp_path / "b")]) == 2
    assert "has no layers" in capsys.readouterr().err


def test_offline_and_not_in_the_cache_is_one_sentence(cache):
    with pytest.raises(ExportError, match="run this once online, or copy") as caught:
        open_source(NAME, ExportOptions())
    assert NAME in str(caught.value)


def test_the_command_line_says_it_too(cache, capsys, tmp_path):
    arguments = ["export", NAME, "--revision", "v9", "-o", str(tmp_path / "b")]
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert f"{NAME} here, and the model of that name at revision v9 is not in" in said
    assert "Traceback" not in said
    assert not (tmp_path / "b").exists()


def test_half_a_snapshot_names_the_missing_file(cache, tmp_path):
    snapshot = keep(cache, write_static_embedding(tmp_path / "m"))
    (snapshot / "0_StaticEmbedding" / "model.safetensors").unlink()
    with pytest.raises(ExportError, match=r"model\.safetensors is missing"):
        open_source(NAME, ExportOptions())


def test_a_folder_of_that_name_comes_first_and_has_no_revision(cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_static_embedding(tmp_path / NAME)
    assert open_source(NAME, ExportOptions()).describe().source.startswith("StaticEmbedding folder")
    with pytest.raises(ExportError, match="is a folder here, which has no revisions"):
        open_source(NAME, ExportOptions(revision="main"))


@pytest.mark.parametrize(
    "name", ["a/b", "sentence-transformers/all-MiniLM-L6-v2", "x.y/z_1", "1/2"]
)
def test_ids(name):
    assert is_hub_id(name)


@pytest.mark.parametrize("name", ["plain", "/a/b", "a/b/c", "../b", "a/..", "./b", "a/b ", "é", ""])
def test_paths_are_no_ids(name):
    assert not is_hub_id(name)


def recorded(monkeypatch, folder):
    """What is asked of the hub's library, and a folder for its answer."""
    calls = []

    def download(name, *, revision, allow_patterns):
        calls.append((name, revision, allow_patterns))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return calls


def matches(patterns, files):
    return set(huggingface_hub.utils.filter_repo_objects(files, allow_patterns=patterns))


FILES = (
    "modules.json",
    "config.json",
    "model.safetensors",
    "model-00001-of-00002.safetensors",
    "pytorch_model.bin",
    "onnx/model.onnx",
    "onnx/config.json",
    "openvino/model.safetensors",
    "1_Pooling/config.json",
    "2_Dense/model.safetensors",
    "2_Dense/pytorch_model.bin",
    "modeling_reeds.py",
    "README.md",
    "tokenizer.json",
)


def test_only_what_an_export_reads_is_fetched(monkeypatch, tmp_path):
    folder = write_modules(tmp_path / COMMIT, 5)
    calls = recorded(monkeypatch, folder)
    model = fetch(NAME, revision="v1", trust_remote_code=False)
    assert model.commit == COMMIT
    (first, second) = calls
    assert (first[:2], second[:2]) == ((NAME, "v1"), (NAME, COMMIT))
    assert matches(first[2], FILES) == {"modules.json", "README.md"}
    assert matches(second[2], FILES) == {
        "modules.json",
        "config.json",
        "model.safetensors",
        "model-00001-of-00002.safetensors",
        "1_Pooling/config.json",
        "2_Dense/model.safetensors",
        "README.md",
        "tokenizer.json",
    }


def test_code_is_fetched_only_when_trusted(monkeypatch, tmp_path):
    calls = recorded(monkeypatch, write_modules(tmp_path / COMMIT, 5))
    fetch(NAME, revision=None, trust_remote_code=True)
    assert "modeling_reeds.py" in matches(calls[1][2], FILES)


def test_a_model_that_cannot_be_exported_is_refused_before_its_weights_come(monkeypatch, tmp_path):
    (tmp_path / "modules.json").write_text(
        '[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.CLIPModel"}]'
    )
    calls = recorded(monkeypatch, tmp_path)
    with pytest.raises(ExportError, match="CLIPModel"):
        fetch(NAME, revision=None, trust_remote_code=False)
    assert len(calls) == 1


def http_error(kind, status):
    """An error as the hub's library makes it."""
    requests = pytest.importorskip("requests")
    response = requests.Response()
    response.status_code = status
    return kind("no", response=response)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (lambda: http_error(errors.GatedRepoError, 403), "accept them on the model's page"),
        (lambda: http_error(errors.RepositoryNotFoundError, 404), "no such model on the"),
        (lambda: http_error(errors.RevisionNotFoundError, 404), "has no revision 'v1'"),
        (lambda: http_error(errors.HfHubHTTPError, 500), "cannot be fetched from the hub: no"),
        (lambda: OSError(28, "No space left on device"), "No space left on device"),
        (lambda: errors.HFValidationError("Repo id must"), "cannot be fetched from the hub: Repo"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence(monkeypatch, error, sentence):
    def download(name, **_):
        raise error()

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(ExportError, match=sentence):
        fetch(NAME, revision="v1", trust_remote_code=False)
