"""What each URL does, one file for each noun."""
