r"""The visible part of an output, without thoughts, hidden channels, turn marks and later turns.

Thinking may lack its opening tag (a chat template may hold it) and may be cut. A thought is not an answer.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sei.grading.plain import NEXT_TURN, goes_on, may_hold_tags
from sei.grading.text import narrow

_MAX_CHARS = 20_000  # the answer is at the end of an output; longer texts only cost time
_NAMES = (
    r"(?:\w+:)?(?:think|thinking|thought|thoughts|thought_process|reasoning|reason|scratchpad|reflection|analysis|"
    r"deliberation|inner_thoughts|internal_monologue|chain_of_thought|cot)"
)
_PAIRS = (
    (rf"<{_NAMES}(?:\s[^<>]*)?>", rf"</{_NAMES}>"),
    (r"\[(?:THINK|THINKING|THOUGHT|REASONING)\]", r"\[/(?:THINK|THINKING|THOUGHT|REASONING)\]"),
    (r"<\|(?:begin_of_thought|START_THINKING|thinking|think|thought_start|start_of_thought)\|>",
     r"<\|(?:end_of_thought|END_THINKING|/thinking|/think|thought_end)\|>"),
    (r"<unused94>(?:thought)?", r"<unused95>"),
    ("◁think▷", "◁/think▷"),
)  # fmt: skip
_OPENED = re.compile("|".join(a for a, _ in _PAIRS), re.IGNORECASE)
_CLOSED = re.compile("|".join(b for _, b in _PAIRS), re.IGNORECASE)
_THOUGHT = re.compile("|".join(f"{a}.*?{b}" for a, b in _PAIRS), re.DOTALL | re.IGNORECASE)

_FINAL_CHANNEL = re.compile(r"<\|channel\|>\s*final\s*(?:<\|constrain\|>[^<]*)?<\|message\|>")
_OTHER_CHANNEL = re.compile(r"<\|channel\|>\s*(?:analysis|commentary|thought)|<\|channel>\s*thought")
_BARE_CHANNELS = re.compile(r"^\s*analysis(?=\S).*?assistantfinal", re.DOTALL)  # the same without special tokens
_BARE_ANALYSIS = re.compile(r"^\s*analysis(?=[A-Z])(?!.*assistantfinal)", re.DOTALL)
_TURN = re.compile(
    r"</s>|<s>|<\|(?:im_end|im_start|eot_id|eom_id|end_of_text|endoftext|begin_of_text|end|return|eos|eot|end_of_turn|"
    r"start|user|assistant|system|pad|start_header_id|end_header_id|endofprompt|END_OF_TURN_TOKEN|"
    r"START_OF_TURN_TOKEN)\|>|</?(?:end_of_turn|start_of_turn|eos|bos|pad|EOT)>|<turn\|>|<\|turn>|\[/?INST\]|\[EOS\]|"
    r"<｜(?:end▁of▁sentence|begin▁of▁sentence|User|Assistant)｜>"
)
_FIRST_MARKS = re.compile(rf"(?:\s*(?:{_TURN.pattern}))+\s*")
_LAST_MARKS = re.compile(rf"(?:\s*(?:{_TURN.pattern}))+\s*$")
_ROLE = re.compile(r"\s*(?:assistant|model|ai|CHATBOT_TOKEN)?\s*(?:<\|end_header_id\|>)?\s*", re.IGNORECASE)
_ECHO = re.compile(
    r"^\s*(?:<s>\s*)*(?:\[INST\].*?\[/INST\]|<\|im_start\|>\s*(?:system|user).*?<\|im_start\|>\s*assistant\s|"
    r"<start_of_turn>\s*user.*?<start_of_turn>\s*model\s)",
    re.DOTALL,
)
_MUSES = re.compile(
    r"\s*(?:okay|ok|alright|all right|hmm+|let'?s see|let me see|the user|we need to|i need to)\b[,. ]",
    re.IGNORECASE,
)
_STATED = re.compile(r"####[ \t]*\S|\\boxed\{[^{}]|\banswer(?:\*\*)?\s*(?:is|:|=)\s*\S|</answer>", re.IGNORECASE)
_ASKS = re.compile(r"[\s#*]*(?:Q|Question|Problem|Sub-?question|User|Human)\b", re.IGNORECASE)
_DOUBTS = re.compile(
    r"\b(?:wait|hmm+|hold on|actually|alternatively|but (?:wait|maybe|perhaps|let me|is that|hold)|"
    r"let me (?:double[- ]?)?(?:check|verify|re-?check|re-?read|see|think|reconsider)|"
    r"let'?s (?:double[- ]?)?(?:check|verify)|maybe|perhaps|is that (?:right|correct)|am i)\b",
    re.IGNORECASE,
)


@lru_cache(maxsize=4)
def visible(output: str) -> str:
    """Return the end of an output, without thoughts and without the text after the end of its turn."""
    text = output
    if may_hold_tags(text):
        text = _one_turn(_without_channels(text))
    text = narrow(_one_problem(text)[-_MAX_CHARS:])
    if not may_hold_tags(text):
        return text
    text = _THOUGHT.sub(" ", text)
    closed = list(_CLOSED.finditer(text))
    if closed:  # the opening tag was cut off or is in the prompt
        text = text[closed[-1].end() :]
    opened = _OPENED.search(text)
    return text[: opened.start()] if opened else text


def without_thoughts(text: str) -> str:
    """Return a text without tagged thoughts. If one tag is missing, all text up to it, or from it on, is a thought."""
    if not may_hold_tags(text):
        return text
    said = _THOUGHT.sub("", text)
    closed = list(_CLOSED.finditer(said))
    said = said[closed[-1].end() :] if closed else said
    opened = _OPENED.search(said)
    return (said[: opened.start()] if opened else said).strip()


def without_marks(text: str) -> str:
    """Return a text without the marks of a turn at its ends, such as ``<|endoftext|>``."""
    if not may_hold_tags(text):
        return text
    first = _FIRST_MARKS.match(text)
    return _LAST_MARKS.sub("", text[first.end() :] if first else text)


def mark_in(text: str) -> str:
    """Return the first mark of a turn in a text, or an empty string."""
    m = _TURN.search(text) if may_hold_tags(text) else None
    return m[0] if m else ""


def _without_channels(text: str) -> str:
    final = list(_FINAL_CHANNEL.finditer(text))
    if final:
        return text[final[-1].end() :]
    other = _OTHER_CHANNEL.search(text)
    if other:
        return text[: other.start()]
    if _BARE_ANALYSIS.match(text):
        return ""
    return _BARE_CHANNELS.sub("", text, count=1)


def _one_turn(text: str) -> str:
    """Return the first turn with content; a repeated prompt before it is skipped."""
    text = _ECHO.sub("", text, count=1)
    while m := _TURN.search(text):
        before = text[: m.start()]
        if not _ROLE.fullmatch(before):
            return before
        text = text[m.end() :]
    return text


def _one_problem(text: str) -> str:
    """Return a text without the problems after its answer; a text that asks itself questions stays whole."""
    if not goes_on(text):
        return text
    first = NEXT_TURN.search(text)
    before = text[: first.start()] if first else text
    return before if _STATED.search(before) and not _ASKS.match(before) else text


def cut_while_thinking(output: str) -> bool:
    """Say whether a cut output reads like thinking that has lost its tags."""
    return _MUSES.match(output) is not None and _DOUBTS.search(output[-_MAX_CHARS:]) is not None


def doubted(text: str) -> bool:
    """Say whether the text after a statement in a cut output doubts it: ``But wait, maybe``."""
    return _DOUBTS.search(text) is not None
