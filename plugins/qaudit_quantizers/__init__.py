"""Built-in quantizers; one module a plugin, found through the same entry points as a stranger's."""
