"""Files that rows name: lists of them, sweeping forgotten ones, quotas, a full disk."""
