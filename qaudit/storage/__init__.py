"""Files that must never be lost or incomplete: those of reports and of the registry."""
