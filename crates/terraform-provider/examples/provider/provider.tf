terraform {
  required_providers {
    biplane = {
      source = "biplane/biplane"
    }
  }
}

provider "biplane" {
  address    = "https://plane.example:9978"
  ca_file    = "/etc/biplane/ca.pem"
  token_file = "/etc/biplane/terraform.token"
}
