"""The gRPC face of the desk, on 3025: who asks, convert, one use case, convert back. It decides nothing."""
