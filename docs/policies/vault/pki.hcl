# What Biplane needs for certificates of the role "biplane" of the engine at pki/. The key is made by Biplane and stays
# there; Vault signs a request. The engine's issuers may be read by anybody.
path "pki/sign/biplane" {
  capabilities = ["update"]
}

# In its place where a secret says "key: vault":
#   path "pki/issue/biplane" { capabilities = ["update"] }
# Beside it where a secret names an issuer:
#   path "pki/issuer/+/sign/biplane" { capabilities = ["update"] }
