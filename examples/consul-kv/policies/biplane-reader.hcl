# What a control plane that only reads needs. It serves the same; it keeps no status and no history in Consul.

key_prefix "biplane/config/" {
  policy = "read"
}

# What meant deletions are told apart by from a store that suddenly shrinks.
key_prefix "biplane/meta/" {
  policy = "read"
}
