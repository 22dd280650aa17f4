"""What `manifest.json` says, as named tuples. Pure.

docs/bundle-format.md is the specification. `manifest_json` refuses a manifest as a whole if any
field is wrong, so code that holds a `Manifest` may rely on every relation checked there.
"""

from typing import Literal, NamedTuple

from edge_mrl.errors import BundleError
from edge_mrl.slices import Slice

MANIFEST_NAME = "manifest.json"

VariantFormat = Literal["table", "onnx", "tflite"]
Precision = Literal["fp32", "fp16", "int8-fast", "int8-portable", "int4"]
Similarity = Literal["cosine", "dot"]
Labels = Literal["judged", "self-labelled"]


class FileEntry(NamedTuple):
    """One file of the bundle: path relative to the bundle with forward slashes, SHA-256 in hex,
    size."""

    path: str
    sha256: str
    size: int


class ModelInfo(NamedTuple):
    """Where the model came from. `identity` names its vector space: every variant of a bundle
    shares it. `multiplied_weights` is with how many weights each token is multiplied: all but
    tables of which a token takes a row; None where nobody says."""

    name: str
    architecture: str
    source: str
    licence: str
    identity: str
    multiplied_weights: int | None = None


class LateInteraction(NamedTuple):
    """How a model that was trained for late interaction reads queries and documents.

    A query is cut to `query_tokens`, special ones and prompt counted, and a shorter one filled up
    with `fill_id` (None: not filled); other tokens attend to the fill where `attend_to_fill`. A
    document is cut to `document_tokens`; those of its tokens that are among `skipped_ids` are read
    and have no vector."""

    query_tokens: int
    document_tokens: int
    fill_id: int | None
    attend_to_fill: bool
    skipped_ids: tuple[int, ...]


class EmbeddingInfo(NamedTuple):
    """What a vector of this model is.

    `dim` is the full width, `matryoshka_dims` the trained sizes in rising order, `prompts` the text
    put before an input by name ("query" and "document" are used by `encode_query` and
    `encode_document`), `include_prompt` whether the tokens of a prompt take part in pooling.
    `late_interaction` is there for a model whose token vectors are what it was trained for; the
    vector of a text is then their mean."""

    dim: int
    matryoshka_dims: tuple[int, ...]
    similarity: Similarity
    prompts: dict[str, str]
    default_prompt_name: str | None
    include_prompt: bool = True
    late_interaction: LateInteraction | None = None


class TokenizerInfo(NamedTuple):
    """How texts become token ids: a Hugging Face `tokenizers` file and the settings around it.

    `max_tokens` counts special tokens; None means that texts are never cut.
    """

    path: str
    add_special_tokens: bool
    max_tokens: int | None
    pad_id: int


class GateResult(NamedTuple):
    """How a variant compared with the fp32 reference on the golden texts, through the device
    runtime.

    `missed` says in words which gates it missed, where the user had it kept all the same; empty
    where it passed."""

    cosine_mean: float
    cosine_min: float
    threshold: float
    missed: str = ""


class Variant(NamedTuple):
    """One runnable form of the model.

    `dims` are the trained sizes it can give, `pad_invariant` says whether a text's vector is the
    same alone and in a padded batch (where it is not, the runtime runs texts one by one),
    `session_options` are engine settings the file needs to give the right numbers, `engines` the
    packages that are known to run it rightly (none named: every engine of the format), `max_tokens`
    a shorter limit than the tokenizer's, where the file's shapes end there, `sequence_lengths` the
    rising lengths to one of which a text is padded (none: any length, or nobody says), `gate` is
    what was measured at export. `token_vectors` is the same for a vector of each token, None where
    the variant gives none."""

    name: str
    format: VariantFormat
    precision: Precision
    dims: tuple[int, ...]
    files: tuple[str, ...]
    pad_invariant: bool
    session_options: dict[str, str]
    gate: GateResult
    engines: tuple[str, ...] = ()
    max_tokens: int | None = None
    sequence_lengths: tuple[int, ...] = ()
    token_vectors: GateResult | None = None


class SliceQuality(NamedTuple):
    """What one slice costs and keeps, measured at export on `Quality.documents` texts.

    `ndcg_at_10` of retrieval with this slice alone, `kept` the same as a fraction of the full fp32
    vector's, `shortlist` how many candidates a scan at this slice must keep so that 99 % of the
    full vector's top 10 are among them."""

    slice: Slice
    ndcg_at_10: float
    kept: float
    shortlist: int


class Estimate(NamedTuple):
    """A measure with its 95 % interval."""

    value: float
    low: float
    high: float


class VariantQuality(NamedTuple):
    """What one variant is worth at one slice, on judged data."""

    variant: str
    slice: Slice
    ndcg_at_10: Estimate
    recall_at_100: Estimate


class LayerQuality(NamedTuple):
    """What the model's first `layers` are worth at one size, in float32; `kept` is the share of the
    whole model's full vector's `ndcg_at_10`."""

    layers: int
    dim: int
    ndcg_at_10: float
    kept: float


class Quality(NamedTuple):
    """The quality table, and what it was measured on.

    `shortlist_growth` is the exponent g of the fitted law shortlist(n) = shortlist * (n /
    documents) ** g. `labels` says who paired queries with documents: people ("judged"), or nobody,
    and a text's first sentence is the query for the rest of it ("self-labelled"). `variants` is
    filled where labels are judged, `layers` where the model was cut to its first layers."""

    method: str
    queries: int
    documents: int
    full_ndcg_at_10: float
    shortlist_growth: float
    slices: tuple[SliceQuality, ...]
    labels: Labels = "self-labelled"
    variants: tuple[VariantQuality, ...] = ()
    layers: tuple[LayerQuality, ...] = ()


class Manifest(NamedTuple):
    """The whole manifest of a bundle."""

    model: ModelInfo
    embedding: EmbeddingInfo
    tokenizer: TokenizerInfo
    variants: tuple[Variant, ...]
    quality: Quality
    golden: str
    files: tuple[FileEntry, ...]
    tools: dict[str, str]

    def variant(self, name: str) -> Variant:
        """The variant of that name.

        Raises:
            BundleError: there is none; the message lists those there are.
        """
        for variant in self.variants:
            if variant.name == name:
                return variant
        names = ", ".join(variant.name for variant in self.variants)
        raise BundleError(f"this bundle has no variant {name!r}: choose one of {names}")

    @property
    def has_token_vectors(self) -> bool:
        """Whether a variant gives a vector for each token."""
        return any(variant.token_vectors is not None for variant in self.variants)

    def max_tokens(self, variant: Variant) -> int | None:
        """Where a variant's texts are cut, special tokens counted; None: never."""
        limits = (self.tokenizer.max_tokens, variant.max_tokens)
        return min((limit for limit in limits if limit is not None), default=None)

    def file(self, path: str) -> FileEntry:
        """The entry of a file that the manifest lists."""
        for entry in self.files:
            if entry.path == path:
                return entry
        raise BundleError(
            f"{MANIFEST_NAME} does not list the file {path!r}: export the bundle again"
        )
