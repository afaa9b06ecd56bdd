"""Built-in explainers: one module per plugin, discovered through the same entry points as third-party plugins."""
