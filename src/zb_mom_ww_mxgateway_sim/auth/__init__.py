"""Who may call: API keys, their scopes, and the tag subtrees that they are narrowed to."""
