"""One piece of foreign work in a child process."""
