# What people and pipelines that edit need: the configuration, and the notes that their tools leave with a change.

key_prefix "biplane/config/" {
  policy = "write"
}

key_prefix "biplane/meta/" {
  policy = "write"
}

key_prefix "biplane/history/" {
  policy = "read"
}

key_prefix "biplane/status/" {
  policy = "read"
}
