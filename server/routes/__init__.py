"""What each endpoint does, one file per noun."""
