"""What a child can be asked to do; one module a task, each with `work(job) -> (answer, arrays)`."""
