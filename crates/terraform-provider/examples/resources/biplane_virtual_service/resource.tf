resource "biplane_virtual_service" "example" {
  name      = "pets"
  namespace = "default"
  virtual_host = {
    domains = ["pets.example.com"]
    routes = [{
      matchers     = [{ prefix = "/" }]
      route_action = { single = { upstream = { name = "pets" } } }
      options      = { timeout = "5s" }
    }]
  }
}
