# The values of the teams, and whether they have changed. Nothing can be listed or written.
path "secret/data/teams/*" {
  capabilities = ["read"]
}
path "secret/metadata/teams/*" {
  capabilities = ["read"]
}
