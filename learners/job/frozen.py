"""What every shape of the contract is: frozen, and a key that it does not know is an error."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

CONTRACT: Literal[1] = 1


class Frozen(BaseModel):
    """A shape of the contract."""

    model_config = ConfigDict(frozen=True, extra="forbid")
