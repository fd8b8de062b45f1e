"""The console, and the cluster that can be run under it on one machine."""
