"""`msh`, the user's client. A module per verb; `main` is the table of them."""
