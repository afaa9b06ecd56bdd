"""Which plugins there are, and how the host asks them."""
