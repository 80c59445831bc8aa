app {
  url = "https://www.envoyproxy.io"
}

pack {
  name        = "envoy"
  description = "Envoy on every node, served by the pack biplane, to which it shows the identity that Nomad gives it."
  version     = "0.1.0"
}
