Biplane runs as the job "biplane" in the namespace [[ var "namespace" . ]].

  nomad deployment list
  biplane status --api "http://$(nomad service info -t '{{range .}}{{.Address}}:{{.Port}}{{end}}' biplane-admin)"

Next: the pack "envoy", and a tag on a job that is to be reached: biplane.enable=true, biplane.hosts=NAME.
