# What Biplane needs to read secrets that are kept below secret/biplane/ in version 2 of the KV engine. Nothing here
# lets it write, list or delete.

# The values.
path "secret/data/biplane/*" {
  capabilities = ["read"]
}

# Which version is current, so that values are only sent when they have changed. Without this the values are
# read each time.
path "secret/metadata/biplane/*" {
  capabilities = ["read"]
}
