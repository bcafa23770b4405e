"""What the names of inputs and classes say; hundreds of packages of nodes keep to them."""

from __future__ import annotations

import re
from typing import Literal

Polarity = Literal["positive", "negative"]

POLAR: dict[Polarity, tuple[str, ...]] = {
    "positive": ("positive", "positive_prompt", "text_positive", "pos"),
    "negative": ("negative", "negative_prompt", "text_negative", "neg"),
}
"""Inputs of one side, a text or a conditioning."""

CARRIERS = (
    *("guider", "text_embeds", "basic_pipe", "detailer_pipe", "pipe", "sdxl_pipe"),
    *("sdxl_tuple", "context", "base_ctx", "ctx"),
)
"""Inputs that carry both sides at once."""

CONDITIONING = re.compile(r"(conditioning|cond)(_?(to|from|in|\d+|[a-d]))?")

PAIRED = re.compile(r"(positive|negative)_(NEW|[A-Z]|\d+)")
"""Inputs of nodes that take several pairs of conditionings."""

INNER = re.compile(r".+ (text|prompt|string)")
"""Inputs of nodes within a group node, behind the inner node's name."""

TEXTS = (
    *(("populated_text",), ("text",), ("prompt",), ("Text",), ("prompt_text",), ("user_prompt",)),
    *(("string",), ("text_g", "text_l"), ("prompt_g", "prompt_l"), ("positive_g", "positive_l")),
    *(("clip_l", "clip_g", "t5xxl", "llama"), ("bert", "mt5xl"), ("wildcard_text",)),
)
"""Inputs that are a text, or several for the encoders of one model; the first that says
something counts."""

VALUE_KINDS = re.compile(r"^(Primitive|String|Text|CR Text|CR Prompt)|Multiline", re.IGNORECASE)
"""Classes whose ``value`` is their text."""

NUMBERED = re.compile(r"(?:text|string|prompt|part|str|input|any|ctx|value)_?(\d+|[a-h])")
"""Inputs of nodes that join or choose."""

JOINING = re.compile(r"concat|join|combine|append|merge|StringFunction", re.IGNORECASE)
DELIMITERS = ("delimiter", "separator", "sep")

SWITCHING = re.compile(r"switch|if.?else|conditional|select", re.IGNORECASE)
ON = ("on_true", "if_true", "true", "true_value", "value_if_true", "tt_value")
OFF = ("on_false", "if_false", "false", "false_value", "value_if_false", "ff_value")
CONDITIONS = ("switch", "boolean", "condition", "cond")
INDICES = ("select", "index", "Input", "input")

RUNTIME = re.compile(
    r"generat|enhanc|llm|gpt|ollama|gemini|claude|florence|joy|caption|interrogat|tagger|describe|"
    r"vlm|vqa|llava|blip|moondream|expan|magic|upsampl|rewrit|improv|"
    r"random|translat|replace|regex|find|styler|split|slice|substring|truncat|load.*line|"
    r"from.?file|wildcard|iterator|^DP(Combin|Jinja|Feeling)|jinja|easy stylesSelector|"
    r"prompt.?(list|line)|prompt.?schedul|trim|strip|upper|lower(?!s)|case|shuffl|sort|revers|"
    r"remov|filter|dedup|parse|format",
    re.IGNORECASE,
)
"""Classes whose text is made or changed when they run, and is not in the file."""

CHANGING = re.compile(
    r"((text|prompt|string)_)?(prefix|suffix|prepend|append)|find|replace|pattern|regex|template|"
    r"mode|operation|action|case|trigger.*"
)
"""Inputs of nodes with a text that change it, or add to it."""

NO_CHANGE = re.compile(r"|none|off|no|false|disabled?|append|fixed|select .*", re.IGNORECASE)
"""Values with which they do not."""

DRAWING = re.compile(
    r"dall.?e|image(?!.*(descri|text|prompt|interrog|analy|caption))", re.IGNORECASE
)
"""Classes of services that draw, whatever language model they are named after."""

EMPTY = re.compile(r"ZeroOut")
SAVING = re.compile(r"save|export|image.?saver|upload|send|output|write", re.IGNORECASE)
SHOWING = re.compile(r"preview|display|show|view|compar|combine", re.IGNORECASE)
DETAILING = re.compile(r"detailer|upscale|ultimate", re.IGNORECASE)
SEEING = re.compile(r"segment|dino|\bsam\b|detect|caption|florence|vision|mask|yolo", re.IGNORECASE)

OFF_ROUTE = re.compile(
    r"positive.*|negative.*|pos|neg|conditioning.*|cond\d*|clip.*|.*model.*|vae.*|text.*|prompt.*|"
    r"string.*|control_net.*|guider|noise|sigmas|sampler.*|scheduler.*|.*mask.*|seed|width|"
    r"height|steps|cfg|denoise|.*lora.*|filename.*|.*ipadapter.*|style.*|sampler_name"
)
"""Inputs that lead from a saved image to anything but the samplers that drew it."""

NOT_TEXT = re.compile(
    r".*model.*|clip.*|vae.*|.*image.*|.*mask.*|latent.*|samples|pixels|control_net.*|noise|"
    r"sigmas|sampler.*|scheduler.*|seed|width|height|steps|cfg|denoise|.*lora.*|strength.*"
)
"""Inputs of nodes of unknown names that are no texts."""

SEEN = re.compile(r"(images?|pixels|video|frames|img)(_?\d+)?", re.IGNORECASE)
"""Inputs of nodes that say what they see."""

IMAGES = re.compile(
    r"images?|samples|video|frames|result|pixels|latents?|image_?\d*", re.IGNORECASE
)
GENERATED = ("prompt", "prompt_text", "text_prompt", "positive_prompt")
"""Where a node that calls a service has its prompt."""
