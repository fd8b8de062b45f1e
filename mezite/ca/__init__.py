"""What the cluster signs for others: certificates, SSH and X.509, and the keys behind them."""
