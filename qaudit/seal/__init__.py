"""The format of seal.json, and whether a folder still holds what it says. Reading only, so that a child can do it."""
