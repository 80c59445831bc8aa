resource "biplane_upstream_group" "example" {
  name      = "canary"
  namespace = "default"
  destinations = [
    { destination = { upstream = { name = "stable" } }, weight = 90 },
    { destination = { upstream = { name = "canary" } }, weight = 10 },
  ]
}
