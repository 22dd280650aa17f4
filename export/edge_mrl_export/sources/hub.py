"""Models named by their id on the Hugging Face hub: brought into that library's cache, only the
files that an export reads.

First the small files that say what the model is, then the weights of its modules: a model that
cannot be exported is refused before gigabytes of it have come."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_mrl.errors import ExportError
from edge_mrl_export.extras import require
from edge_mrl_export.sources.modules_json import MODULES_JSON, TRANSFORMER_CONFIGS, module_entries
from edge_mrl_export.sources.stanford_colbert import METADATA

_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")

_ABOUT = (
    MODULES_JSON,
    METADATA,
    "config_sentence_transformers.json",
    "mrl.json",
    "README.md",
    "LICENSE",
    "LICENSE.txt",
    "LICENSE.md",
    "LICENCE",
)
_OF_A_MODULE = (
    "config.json",
    *TRANSFORMER_CONFIGS,
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)
_CODE = "*.py"


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model in the cache: `folder` is a snapshot, `commit` its revision in full."""

    folder: Path
    name: str
    commit: str


def is_hub_id(name: str) -> bool:
    """Whether this can be an id on the hub: an owner and a name with a slash between."""
    return _ID.fullmatch(name) is not None


def fetch(name: str, *, revision: str | None, trust_remote_code: bool) -> HubModel:
    """Bring a model into the cache; without a network, find it there.

    Args:
        name: owner/name.
        revision: a branch, a tag or a commit; None for the main branch.
        trust_remote_code: whether to bring the model's own code too.

    Raises:
        ExportError: it is not on the hub, may not be read, or cannot be had without a network.
    """
    folder = _snapshot(name, revision, _ABOUT)
    # The same commit again, should the branch move in between.
    commit = folder.name
    places = [Path()]
    if (folder / MODULES_JSON).is_file():
        places = [place.relative_to(folder) for _, place in module_entries(folder)]
    wanted = (*_OF_A_MODULE, _CODE) if trust_remote_code else _OF_A_MODULE
    patterns = [(place / file).as_posix() for place in dict.fromkeys(places) for file in wanted]
    return HubModel(_snapshot(name, commit, [*_ABOUT, *patterns]), name, commit)


def _snapshot(name: str, revision: str | None, patterns: Sequence[str]) -> Path:
    require("huggingface_hub", extra="export-static")
    from huggingface_hub import errors, snapshot_download

    at = "" if revision is None else f" at revision {revision}"
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(patterns)))
    except errors.GatedRepoError as error:
        raise ExportError(
            f"{name} is open only to those who accepted its terms: accept them on the model's "
            "page, then log in with `hf auth login`"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ExportError(f"{name} has no revision {revision!r}: correct --revision") from error
    except errors.RepositoryNotFoundError as error:
        raise ExportError(
            f"there is no folder {name} here and no such model on the Hugging Face hub: correct "
            "the name, or log in with `hf auth login` if it is private"
        ) from error
    except errors.LocalEntryNotFoundError as error:
        raise ExportError(
            f"there is no folder {name} here, and the model of that name{at} is not in the Hugging "
            "Face cache and cannot be fetched without a network: run this once online, or copy the "
            "model's folder here and give its path"
        ) from error
    except (errors.HFValidationError, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ExportError(f"{name}{at} cannot be fetched from the hub: {reason}") from error
