# Certificates of one role. The key stays with Biplane, so `pki/issue` is not needed.
path "pki/sign/edge" {
  capabilities = ["update"]
}
