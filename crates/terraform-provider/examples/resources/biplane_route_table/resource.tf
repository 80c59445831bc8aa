resource "biplane_route_table" "example" {
  name      = "orders"
  namespace = "default"
  labels    = { team = "blue" }
  routes = [{
    matchers     = [{ prefix = "/orders" }]
    route_action = { single = { upstream = { name = "orders" } } }
  }]
}
