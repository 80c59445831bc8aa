resource "biplane_gateway" "example" {
  name         = "web"
  namespace    = "default"
  bind_address = "127.0.0.1"
  bind_port    = 8080
  http_gateway = {}
}
