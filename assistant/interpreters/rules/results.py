"""Sentences about a run's result: where it is, its record, merging, uploading, resuming. Data; the first match wins."""

from __future__ import annotations

import re
from typing import Any

from assistant.interpreters import Turn
from assistant.interpreters.rules.slots import Found
from assistant.interpreters.rules.text import Message
from assistant.state import ToolCall

LONG = 160  # characters: a longer message is a story about something else
_PLEASE = r"^(?:(?:ok(?:ay)?|please|now|then|and|so|can you|could you|would you|i want to|i'd like to|let'?s)[\s,]+)*"
_IT = r"(?:it|this|that|them|(?:the|my|our|that|this) (?:\w+ )?(?:run|training|adapter|model|result|lora|weights))"
_TABLE: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (rf"{_PLEASE}(?:export|convert|save|quanti[sz]e|turn|give me|make|write|i (?:need|want)|need|want)\b.{{0,30}}"
     r"\b(?:gguf|onnx|awq|gptq|ollama)\b",
     "explain", {"topics": ["use_elsewhere"]}),
    (rf"{_PLEASE}(?:delete|remove|erase|throw|discard|get rid of)\b(?: away| of)? {_IT}(?: away)?$", "explain",
     {"topics": ["delete_run"]}),
    (r"^where(?:'s| is| are| can i find| do i find| did you (?:put|save|store))\b.{0,12}\b(?:adapter|result|trained model|tuned model"
     r"|fine-?tuned model|weights|lora|safetensors)\b", "show_result", {"what": "adapter"}),
    (r"^where (?:is|are|did you (?:put|save)) (?:the|my) files(?: saved| stored)?$", "show_result", {"what": "adapter"}),
    (r"^(?:so,? )?what (?:did (?:i|we) (?:get|end up with)|came out(?: of it)?|(?:is|was|were) the (?:result|outcome)s?|do (?:i|we) "
    r"have now)(?: now| in the end)?$",
     "run_status", {}),
    (r"\bcode (?:to|for) (?:load|use|run)(?:ing)? (?:it|the (?:adapter|model))\b", "show_result", {"what": "adapter"}),
    (r"^how (?:do|can) i (?:load|use|run|try) (?:it|the (?:adapter|result|model)|my (?:adapter|model))\b",
     "show_result", {"what": "adapter"}),
    (rf"{_PLEASE}(?:show|give|open|see)(?: me)? (?:the|its|my) (?:run(?:'s)? )?record$", "show_result", {"what": "record"}),
    (r"\brun\.json\b|\bcapsule\b|\breproduc(?:e|ing|ible)\b|\brepeat (?:this|that|the) (?:run|training)\b", "show_result",
     {"what": "record"}),
    (rf"^(?:and )?(?:how|can|could|will|would|is it possible)\b.{{0,24}}\b(?:re-?run|re-?do|repeat|(?:run|train|do|get) (?:exactly )?{_IT}"
     rf"(?: exact(?:ly)?)?(?: same)?(?: run| again)|(?:run|train|do) (?:exactly )?(?:the )?(?:exact |very )?same)\b"
     r"(?!.{0,40}\b(?:with|but|on|using)\b)", "show_result", {"what": "record"}),
    (r"^(?:with )?(?:which|what) (?:package |library |exact )?versions? (?:(?:was|were|did|have|of)\b.{0,30}\b(?:us\w+|train\w*|this"
     r"|run)|.{0,12}\b(?:recorded|kept))", "show_result", {"what": "record"}),
    (rf"{_PLEASE}(?:(?:where|how) (?:can|do) i |can i )?(?:download|fetch|get|give me|send me|hand me)\b (?:me )?"
     r"(?:it|(?:the|my|its) (?:\w+ )?(?:adapter|lora|weights|result|safetensors)(?: weights| files?| folder)?)$",
     "show_result", {"what": "adapter"}),
    (rf"{_PLEASE}(?:export|merge|fuse)\b(?!.{{0,40}}\b(?:llama-?factory|axolotl|trl|yaml|json|config)\b)", "export_run", {}),
    (rf"{_PLEASE}(?:give|get|make|save|write) (?:me |it )?(?:as |to )?(?:a |one |the )?(?:merged|standalone|full 16-?bit)\b",
     "export_run", {}),
    (rf"{_PLEASE}(?:sync|send|re-?send)\b.{{0,30}}\b(?:tracker|trackio|wandb|w&b|comet|curves?)\b", "sync_tracker", {}),
    (rf"{_PLEASE}(?:resume|continue|carry on|go on|pick up|finish)\b(?: (?:with )?{_IT})?(?: from\b.{{0,30}}|,? where\b.{{0,30}})?$",
     "resume_run", {}),
)  # fmt: skip
_REHEARSE = re.compile(
    r"\b(?:do|run|make|start|try|want|with|have|rehearse|perform)\b.{0,16}\b(?:rehearsal|dry[- ]?run)\b(?! model)|\brehearse\b"
    r"|^\W*(?:a )?(?:rehearsal|dry[- ]?run)(?: first| please)*\W*$|\b(?:rehearsal|dry[- ]?run) first\b"
)
_NO_REHEARSAL = re.compile(
    r"\b(?:no|skip|without|don'?t (?:do|want)|not)\b.{0,10}\b(?:rehears\w*|dry[- ]?run)\b|\bstart without it\b"
)
_COMPILED = [(re.compile(pattern), tool, args) for pattern, tool, args in _TABLE]
_NO = r"(?:no|don'?t|do not|without(?: an?)?|skip the|never|kein(?:en)?|sin)\s+"
_UPLOAD = re.compile(
    rf"(?P<no>{_NO})?\b(?:push_to_hub|(?:push|upload|publish|share)(?:ing)?\b)(?:\s+{_IT})?"
    r"(?:\s+(?:up\s+)?(?:to|on|onto|as)\s+(?:(?:the|my|our)\s+)?"
    r"(?P<hub>(?:hugging ?face|hf)(?: hub)?\b|hub\b)?(?:\s*(?:as|under|at|to|called)\s+)?"
    r"['\"`]?(?P<to>[\w.-]+/[\w.-]*\w)?['\"`]?)?"
)
# "put the result in my hub under me/bot"
_PUT = re.compile(
    rf"\b(?:put|send|store|save|upload|push)\s+(?:{_IT}|everything)\s+(?:in|on|to|into|onto)\s+(?:the |my |our )?"
    r"(?P<hub>(?:hugging ?face|hf)(?: hub)?|hub)\b(?:\s*(?:as|under|at|to|called|in|,)\s+['\"`]?(?P<to>[\w.-]+/[\w.-]*\w)['\"`]?)?"
)
_ID = re.compile(r"\bhub_model_id\s*[:=]?\s*['\"`]?(?P<to>[\w.-]+/[\w.-]*\w)")
_PUBLIC = re.compile(r"\b(?P<word>public|private)\b(?= (?:hub |hf )?(?:repo|upload|adapter|model)|\W*$)")
_REPO_PUBLIC = re.compile(r"\b(?:repo(?:sitory)?|upload) (?:is |as |to be |should be )?(?P<word>public|private)\b")
_ENDS = re.compile(r"\s*(?:$|[.,;:!?]|(?:please|when|after|at the end|once|then|and|automatically|for me)\b)")
_FILE = re.compile(r"\.(?:jsonl?|csv|tsv|parquet|txt|py|ya?ml)$")


def rehearsing(plain: str) -> list[ToolCall] | None:
    """The call for a sentence that wants a rehearsal before the run, or none; None when it is about something else."""
    if len(plain) > LONG or not ((skips := _NO_REHEARSAL.search(plain)) or _REHEARSE.search(plain)):
        return None
    return [ToolCall(tool="rehearse", args={"first": not skips})]


def about_result(plain: str, raw: str, turn: Turn) -> list[ToolCall] | None:
    """The calls for a sentence that is about a run's result and nothing else; None when it is not, or there is no run."""
    if not turn.has_run or len(plain) > LONG:
        return None
    text = plain.rstrip(" .!?")
    for pattern, tool, args in _COMPILED:
        if pattern.search(text) and not (turn.run_active and tool == "resume_run"):
            return [ToolCall(tool=tool, args=args)]
    message = Message(raw)
    if (
        turn.state.shown_plan is None
        and (hit := _UPLOAD.match(re.sub(_PLEASE, "", message.text)))
        and _about_hub(hit, plain)
    ):
        to = raw[raw.lower().find(hit["to"]) :][: len(hit["to"])] if hit["to"] else None
        return None if hit["no"] else [ToolCall(tool="upload_adapter", args={"to": to} if to else {})]
    return None


def sharing(message: Message) -> list[Found]:
    """The plan's upload: whether, where to, and whether all may see it; takes what it reads."""
    found: list[Found] = []
    for pattern in (_UPLOAD, _PUT, _ID):
        for hit in message.each(pattern):
            if pattern is _UPLOAD and not _about_hub(hit, message.text):
                continue
            no = bool(hit.groupdict().get("no"))
            found.append(Found("push_to_hub", not no, *hit.span()))
            if hit["to"] and not no:
                found.append(Found("hub_model_id", message.cased[hit.start("to") : hit.end("to")], *hit.span()))
            message.take(*hit.span())
    for hit in message.each(_PUBLIC if found else _REPO_PUBLIC):
        found.append(Found("hub_private_repo", hit["word"] == "private", *hit.span()))
        message.take(*hit.span())
    return found


def _about_hub(hit: re.Match[str], text: str) -> bool:
    """Uploading what was trained, not a file, and not a word of something else ("upload the dataset", "push the limits")."""
    if hit["to"] and _FILE.search(hit["to"]):
        return False
    if hit["hub"] or hit["to"] or "push_to_hub" in hit[0]:
        return True
    return bool(re.fullmatch(rf"(?:{_NO})?upload(?:ing)?(?:\s+{_IT})?", hit[0]) and _ENDS.match(text, hit.end()))
