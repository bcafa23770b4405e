"""An embedded world of pictures drawn from prompts."""
