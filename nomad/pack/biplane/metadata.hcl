app {
  url = "https://github.com/biplane/biplane"
}

pack {
  name        = "biplane"
  description = "The control plane for Envoy: routes from tags of jobs, Consul KV, etcd or files. Deploy it before the pack envoy."
  version     = "0.1.0"
}
