"""Templates of others: read as data, run in a sandbox, held to plain elements and scoped styles, and never on page one."""
