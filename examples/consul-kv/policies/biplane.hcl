# What a control plane needs: it reads the configuration and writes what it says about it.

# "write" if people are to change things through its HTTP API.
key_prefix "biplane/config/" {
  policy = "read"
}

# Status, history and the leader's seat.
key_prefix "biplane/status/" {
  policy = "write"
}

key_prefix "biplane/history/" {
  policy = "write"
}

key_prefix "biplane/meta/" {
  policy = "write"
}

# The session behind the leader's seat.
session_prefix "" {
  policy = "write"
}
