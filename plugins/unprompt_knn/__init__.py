"""kNN regression over a bank of prompts: CLIP image embedding -> near prompts -> their mean."""
