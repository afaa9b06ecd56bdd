"""Built-in formats; one module a plugin, found through the same entry points as a stranger's."""
