"""`mezctl`, the administrator's client. A module per noun; `main` is the table of them."""
