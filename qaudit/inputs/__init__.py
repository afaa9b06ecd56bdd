"""What an audit is given: audit.toml, the policy, the rows."""
