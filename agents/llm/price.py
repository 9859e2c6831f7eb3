"""What tokens cost: a table by model, in millionths of a dollar per million tokens; whole microdollars, rounded up."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from agents.errors import AgentError


class BadPrices(AgentError):
    """The file of prices cannot be used."""


class Price(Struct, frozen=True, forbid_unknown_fields=True):
    """Dollars per million tokens read and written, which is the same number as microdollars per token."""

    input: Annotated[float, Meta(ge=0, le=1e6)]
    output: Annotated[float, Meta(ge=0, le=1e6)]

    def of(self, tokens_in: int, tokens_out: int) -> int:
        """Return the cost in millionths of a dollar, rounded up."""
        exact = self.input * tokens_in + self.output * tokens_out
        return -int(-exact // 1)


FREE = Price(0.0, 0.0)
Prices = Mapping[str, Price]


def load(path: Path) -> dict[str, Price]:
    """Return the prices in a YAML file: `model: {input: 0.15, output: 0.6}`, in dollars per million tokens.

    Raises:
        BadPrices: the file is not there, or a price is missing, negative or no number.
    """
    import yaml  # no worker needs it but to read prices

    try:
        return msgspec.convert(yaml.safe_load(path.read_text()), dict[str, Price])
    except (OSError, yaml.YAMLError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise BadPrices(
            f"{path.name} holds no prices (`model: {{input: 0.15, output: 0.6}}`): {' '.join(str(error).split())}"
        ) from error
