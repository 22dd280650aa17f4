"""What models took on a device, as `edge-mrl calibrate` wrote it into a profile. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge_mrl.profiles.sheets import Sheet

MAX_ENCODERS = 100
MAX_LENGTHS = 32
MAX_TOKENS = 100_000
MAX_SECONDS = 3600.0
_MS = 1e-3


@dataclass(frozen=True, slots=True)
class EncoderTimes:
    """One variant of one model, alone on one thread.

    Attributes:
        identity: the model's vector space, as in its bundle's manifest.
        variant: the variant's name.
        seconds: (tokens, seconds) of one text, tokens rising.
    """

    identity: str
    variant: str
    seconds: tuple[tuple[int, float], ...]

    def at(self, tokens: int, *, padded: bool) -> float:
        """Seconds for a text of so many tokens.

        Args:
            tokens: 0 or more.
            padded: whether the engine fills a text up to the next of a few lengths (TFLite): the
                next longer one that was measured then holds. Otherwise the straight line between
                two, beyond the last one the line through the last two.
        """
        known = self.seconds
        longer = next((place for place, (length, _) in enumerate(known) if length >= tokens), None)
        if longer == 0 or (padded and longer is not None):
            return known[longer][1]
        if len(known) == 1:
            return known[0][1] * tokens / known[0][0]
        place = len(known) - 1 if longer is None else longer
        (low, before), (high, after) = known[place - 1], known[place]
        return max(before, before + (after - before) * (tokens - low) / (high - low))


def encoder_times(chain: Sequence[Sheet]) -> tuple[EncoderTimes, ...]:
    """The measured encoders of a profile and of those that it extends, its own first.

    Raises:
        ProfileError: an entry cannot be used.
    """
    found: dict[tuple[str, str], EncoderTimes] = {}
    for sheet in chain:
        for one in _of_sheet(sheet):
            found.setdefault((one.identity, one.variant), one)
    return tuple(found.values())


def _of_sheet(sheet: Sheet) -> tuple[EncoderTimes, ...]:
    if "encoders" not in sheet.root:
        return ()
    made = []
    for table in sheet.root.tables("encoders", max_items=MAX_ENCODERS):
        table.only("identity", "variant", "tokens", "ms", "source")
        table.text("source", max_length=1000)
        tokens = table.integers("tokens", 1, MAX_TOKENS)
        times = table.numbers("ms", 0, MAX_SECONDS / _MS)
        if not 0 < len(tokens) == len(times) <= MAX_LENGTHS or list(tokens) != sorted(set(tokens)):
            table.fail("tokens must rise, and ms give one time for each of them")
        seconds = tuple((count, milli * _MS) for count, milli in zip(tokens, times, strict=True))
        made.append(EncoderTimes(table.text("identity"), table.text("variant"), seconds))
    return tuple(made)
