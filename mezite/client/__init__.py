"""How a program of a user reaches a hub: who it is (profiles on disk), how it trusts, and typed calls.

    home       where client state lives; files that appear whole or not at all
    profile    one hub as known to this user, and the login at it
    profiles   profiles on disk; `known_hosts` for OpenSSH beside them
    trust      which authority of a hub one has agreed to; pure
    web        the HTTPS door (3080): JSON, bounded
    contact    meeting a hub: the first time by pin, afterwards by what was agreed then
    keypairs   keys made for one login
    login      password, token or enrolment to certificates
    bundle     what `mezctl auth sign` writes
    local      the admin socket of a hub on this machine
    channel    TLS and options of gRPC, and its failures as errors of ours
    methods    every call there is, with its types
    hub        calls, for programs that wait
    streams    answers that go on, for programs that stay
    watch      the feed, for programs that stay: resumes by itself
    identity   who `mezctl` acts as
    nodes      nodes as one sees them, and the usual login there
    target     what people call a node
    dial       the quick way to one (3023): TLS, an order, then a raw connection
    handover   that connection given to `ssh`, or its bytes carried
    ssh_config what OpenSSH is told about nodes; pure

Start-up time is a feature here: grpc and cryptography are imported where they are used, never on the way. The
ProxyCommand (`profiles`, `target`, `dial`, `handover`) loads neither, nor msgspec, nor asyncio.
"""

import os

# gRPC's C core writes its own complaints to stderr, where only our one line belongs. It reads this when it is
# loaded, so it must stand before any of our modules can load it.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
