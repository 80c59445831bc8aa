terraform {
  required_providers {
    biplane = {
      source = "biplane/biplane"
    }
  }
}

# Where the control plane is comes from BIPLANE_API, as for the `biplane` command.
provider "biplane" {}

resource "biplane_gateway" "web" {
  name         = "web"
  namespace    = "default"
  bind_address = "127.0.0.1"
  bind_port    = 8080
  http_gateway = {}
}

resource "biplane_upstream" "pets" {
  for_each  = { stable = 8081, canary = 8082 }
  name      = "pets-${each.key}"
  namespace = "default"
  static = {
    hosts = [{ addr = "127.0.0.1", port = each.value }]
  }
}

variable "release" {
  type    = string
  default = "stable"
}

resource "biplane_virtual_service" "pets" {
  name      = "pets"
  namespace = "default"
  virtual_host = {
    domains = ["pets.example.com"]
    routes = [{
      matchers     = [{ prefix = "/" }]
      route_action = { single = { upstream = { name = biplane_upstream.pets[var.release].name } } }
      options      = { timeout = "5s" }
    }]
  }
}
