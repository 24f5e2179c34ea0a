"""What can be asked of a run, task by task: a file and a line of `table` for each."""
