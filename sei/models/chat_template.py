"""Checks a model's chat template with one question, before any cost arises."""

from __future__ import annotations

from sei.errors import ConfigError
from sei.opened import OpenModel


def require_usable(opened: OpenModel, source: str) -> None:
    """Render one question as a run would. The plain template needs only an end-of-text token.

    Raises:
        ConfigError: for a chat, if the tokenizer has no chat template or one that does not accept the settings; in any
            case, if it has no end-of-text token.
    """
    if opened.template == "plain":
        _require_end(opened, source)
        return
    if not getattr(opened.tokenizer, "chat_template", None):
        raise ConfigError(
            f"model.template=chat: the tokenizer in {source} has no chat template. Remedy: "
            "model.template=plain (a base model), or a chat_template.jinja beside its weights."
        )
    try:
        said = opened.prompts(["What is 1 + 1?"])[0]
    except Exception as e:  # a template may raise anything
        reason = " ".join(f"{type(e).__name__}: {e}".split())[:300]
        raise ConfigError(
            f"model.source={source}: its chat template cannot be used ({reason}). Rule: it must accept user and "
            "assistant turns, a system turn if model.system_prompt is set, and model.chat_template_kwargs. "
            "Remedy: model.system_prompt=null, other model.chat_template_kwargs, or model.template=plain."
        ) from e
    if "What is 1 + 1?" not in said:
        raise ConfigError(
            f"model.source={source}: its chat template leaves the question out. Remedy: "
            "model.template=plain, or another template."
        )
    _require_end(opened, source)


def _require_end(opened: OpenModel, source: str) -> None:
    if opened.tokenizer.eos_token_id is None:
        raise ConfigError(
            f"model.source={source}: its tokenizer has no end-of-text token, so no answer would end. Remedy: "
            "set eos_token in its tokenizer_config.json."
        )
