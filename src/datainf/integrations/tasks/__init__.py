"""Tasks: one file for each meaning of "the loss of one example"; `table` lists them."""
