"""The pieces every screen is made of. They draw what they are given and decide nothing."""
