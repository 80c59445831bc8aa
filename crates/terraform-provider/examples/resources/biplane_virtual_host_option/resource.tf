resource "biplane_virtual_host_option" "example" {
  name      = "cross-origin"
  namespace = "default"
  options   = { cors = { allow_origin = ["https://example.com"], allow_methods = ["GET"] } }
}
