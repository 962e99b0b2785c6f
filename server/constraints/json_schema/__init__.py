"""A client's JSON schema -> the one that llguidance compiles and keeps to."""
