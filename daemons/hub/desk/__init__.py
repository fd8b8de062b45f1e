"""The use cases: one file per subject. Each loads, decides, stores and tells, in one unit of storage.

No sockets here, no gRPC, no web, no clock but the one that was given. Thin faces (`rpc`, `web`, `proxy`)
turn wire shapes into plain arguments, call one function here, and turn its answer back.
"""
