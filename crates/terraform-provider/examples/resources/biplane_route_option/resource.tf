resource "biplane_route_option" "example" {
  name      = "patient"
  namespace = "default"
  options   = { timeout = "30s", retries = { retry_on = "5xx", num_retries = 2 } }
}
