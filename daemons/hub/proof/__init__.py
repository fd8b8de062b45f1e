"""How a person proves who they are: passwords, one-time codes, and the patience shown to who guesses."""
