"""Where truth is kept: users, roles, nodes, locks, keys, the audit chain and the feed of changes.

`ports` says what may be asked; three engines answer alike: `sqlite` (embedded), `postgres` (several hubs),
`memory` (tests). The only room of the house that knows SQL.
"""
