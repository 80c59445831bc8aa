# Only where the values are, never the values: these would be in OpenTofu's state.
resource "biplane_secret" "example" {
  name      = "certificate"
  namespace = "default"
  vault = {
    form = "tls"
    kv   = { mount = "secret", path = "teams/web/certificate" }
  }
}
