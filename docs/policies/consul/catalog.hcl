# What Biplane needs to look up endpoints, and to read the tags of services, in Consul's catalog. Nothing here lets it
# register, change or remove anything.

# Which services there are, their instances and the checks of these. Or the services that are looked up by their names,
# service "web" and so on, if no routes are made of tags.
service_prefix "" {
  policy = "read"
}

# The nodes that instances are on, their addresses and their checks.
node_prefix "" {
  policy = "read"
}

# Beside these where an upstream asks a prepared query:
#   query_prefix "" { policy = "read" }
# Beside these where an upstream speaks to the mesh as the service "edge": its certificate
#   service "edge" { policy = "write" }
