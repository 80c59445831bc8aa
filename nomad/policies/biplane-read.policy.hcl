# What Biplane's Nomad source needs, for each namespace whose services it reads, and nothing more:
#
#   nomad acl policy apply biplane-read biplane-read.policy.hcl
#   nomad acl token create -name biplane -policy biplane-read
#
# For a Biplane that runs as a task of Nomad, without a token of its own:
#
#   nomad acl policy apply -namespace default -job biplane biplane-read biplane-read.policy.hcl

namespace "default" {
  # Services, the allocations that they belong to, their jobs, their checks, and the stream of events.
  capabilities = ["read-job"]
}
