"""The models that can be loaded, by `model_type` of config.json: a new one is a file and a line below."""

from __future__ import annotations

from typing import Protocol

from interplm_wh.plm.base import PLM
from interplm_wh.plm.esm2 import Esm2
from interplm_wh.plm.esmc import Esmc
from interplm_wh.plm.t5 import T5Encoder
from interplm_wh.plm.weights import Checkpoint


class Kind(Protocol):
    """What opens the models of one family.

    Attributes
    ----------
    title : str
        Name of the family, for messages.
    """

    @property
    def title(self) -> str: ...

    def __call__(self, checkpoint: Checkpoint) -> PLM: ...


MODELS: dict[str, Kind] = {
    "esm": Esm2,
    "esmc": Esmc,
    "t5": T5Encoder,
}
