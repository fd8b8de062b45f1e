"""The tunnel protocol of port 3024: what a node and a hub say to each other. Pure; nobody here owns a socket.

    frames        bytes to payloads and back, bounded
    shapes        the bounds of every field
    messages      payloads to messages and back: joining and the control line
    orders        the same for connections of users
    talk          who may say what when: one literal table that both ends follow
    proof         how both ends prove that they know a join token, without sending it

docs/formats/tunnel.md specifies the same for whoever writes another end.
"""
