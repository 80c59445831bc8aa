# What Biplane needs for its own token. Vault's policy "default" has both: this is for tokens without it.

# Making it last longer.
path "auth/token/renew-self" {
  capabilities = ["update"]
}

# Telling a token that has died from a question that is not allowed.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
