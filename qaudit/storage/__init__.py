"""Files that must not be lost or torn: those of reports and of the registry."""
