Envoy runs on every node as the job "envoy" in the namespace [[ var "namespace" . ]], of the fleet [[ var "fleet" . ]].

  nomad job status envoy
