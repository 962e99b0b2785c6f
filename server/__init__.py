"""The HTTP server: speaks the OpenAI API, turns text into token ids and back."""
