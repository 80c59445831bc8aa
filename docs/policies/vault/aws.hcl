# What Biplane needs for credentials of AWS of the role "biplane" of the engine at aws/.
path "aws/creds/biplane" {
  capabilities = ["read"]
}

# Making those of a user last longer. Vault's policy "default" has it; roles that are assumed do not need it.
path "sys/leases/renew" {
  capabilities = ["update"]
}

# In the place of the first where a secret says "roleArn" or "ttl":
#   path "aws/sts/biplane" { capabilities = ["update"] }
