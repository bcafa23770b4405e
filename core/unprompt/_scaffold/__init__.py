"""Complete packages of plugins, written from templates: ``unprompt plugins new``."""
