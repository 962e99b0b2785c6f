"""Where weights come from, one file for each form."""
