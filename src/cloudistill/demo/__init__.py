"""The whole story on loopback, without an account: a support desk's lessons, three emulated vendors, one page."""
