"""An embedded world of images drawn from prompts."""
